"""The instruments' side: simulated devices that answer byte by byte, faults on the wire, scenarios of a working day.

An independent reading of the makers' manuals. Nothing in here knows how the box decodes what it is sent.
"""
