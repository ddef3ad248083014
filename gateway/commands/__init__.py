"""The command line, one command (or family of commands) a module.

Each module has `register(app)`, which adds its commands to the Typer application.
"""
