"""The operating system: files that appear whole, quiet native code, fresh processes."""
