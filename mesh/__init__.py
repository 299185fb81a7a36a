"""MESH, the NHS message exchange, as a library over mesh-client.

    Mailbox            send a message, look one up, list, retrieve and acknowledge        mailbox.py
    OutgoingMessage,
    ReceivedMessage    what is sent and what is received                                  message.py
    Outcome, Result    what became of one attempt, as a value                             outcome.py
    Tracking           where a message that was sent stands                               tracking.py
    collect            empty an inbox: keep each message first, acknowledge it then       collect.py
    LocalMesh          a MESH on this machine, for demonstrations and tests               sandbox/run.py

The contract is the MESH API (https://github.com/NHSDigital/mesh-api-specification). Everything here blocks: call it
from a thread.
"""
