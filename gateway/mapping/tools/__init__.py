"""What `gateway mapping` is made of: tools for whoever writes mapping modules. Messages never pass through here.

workspace            the folder of modules that is worked on
faults, cases        is a module right, and does it still do what it did
messages, run        a message from a file, and what a module makes of it
difference           two values, compared by path
roundtrip            there and back again
schema, skeleton, layout    for the editor: completion, a first draft, one layout
reload               the modules of a running gateway, when their files change
"""
