"""Completion of the command line for shells: one file a shell, each with `script`, made of what argparse declares."""
