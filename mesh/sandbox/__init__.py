"""A MESH on this machine: NHS England's mesh-sandbox, made stricter, with failures to order.

run.py starts and stops it; app.py is what runs, in a virtual environment of its own, since mesh-sandbox pins a fastapi
older than the gateway's.
"""
