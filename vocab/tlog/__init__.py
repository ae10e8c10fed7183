"""The evidence log's formats: RFC 6962 trees, C2SP tiles, signed notes, proofs and policies. Pure: bytes in, bytes out.

Third parties read the same files with their own tools, so nothing here is ours to redefine: C2SP signed-note,
tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof, tlog-policy and tlog-witness say what each byte means.
"""
