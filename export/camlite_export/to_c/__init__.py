"""An artifact as C for microcontrollers: ``camlite to-c``.

It is made on a workstation, from nothing but the artifact: numpy is all that is imported. `runtime` is a link to
runtime/c, the C runtime, which is copied beside what is written; the wheel holds the files themselves.
"""
