"""The command line: one module for each kind of task.

Belongs here: commands, options, exit codes; this is where the parts are put together, so this room
alone in `etl` may call `assets`. Does not belong here: any work itself.
"""
