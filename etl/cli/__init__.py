"""The command line: one module for each kind of task.

Belongs here: commands, options, exit codes. This is where the parts are put together, so in `etl`
only this package may call `assets` and `console`. Does not belong here: the work itself.
"""
