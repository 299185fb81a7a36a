"""What `gateway mapping` is made of: tools for whoever writes mapping modules. Messages never pass through here.

workspace            the folder of modules that is worked on
faults, cases        is a module right, and does it still do what it did
messages             a message from a file
difference           two values, compared by path
reach                what cases leave untried
roundtrip            there and back again
schema, layout       for the editor: completion, and one layout
skeleton, facts      a first draft of a module, and what an example holds
reload               the modules of a running gateway, when their files change
"""
