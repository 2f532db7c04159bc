"""``camlite serve``: an HTTP endpoint and a page, on waitress (extra ``serve``).

waitress is pure Python without dependencies, buffers a request until it is whole before a thread sees it, and has
limits on bodies, headers, connections and silence. What it lacks, and this package adds in `limits`: a deadline for
senders that drip, a bounded queue, and errors as JSON.
"""
