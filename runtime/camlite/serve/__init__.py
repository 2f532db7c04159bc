"""``camlite serve``: an HTTP endpoint and a page, on Tornado (extra ``serve``).

Tornado reads the requests of all connections in one thread, with a limit on the size of heads and a deadline for heads
and for bodies, and needs no other package. `http_server` is the only module that imports it; `application` answers
requests and knows nothing of connections; `explain_request` is what workers do.
"""
