"""
A ledger in the browser: REST, a WebSocket for what is new, and the pages themselves.

Nothing can be changed through it. :mod:`.gate` decides who is let in, :mod:`.api` what a question
means, :mod:`.desk` asks the reader, in the one thread that owns it.
"""
