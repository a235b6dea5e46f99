"""What stands between the connection and the routes, one concern a file.

Each hands the request on by returning what it is served by, without a coroutine of its own: most requests
pass through all of them.
"""
