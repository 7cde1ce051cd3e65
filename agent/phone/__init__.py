"""The telephone: a protocol (protocol.py), and the real one, made of pjsua2 (pjsua/)."""
