"""A static web site of artifacts: ``camlite to-web``. What the browser runs is runtime/web."""
