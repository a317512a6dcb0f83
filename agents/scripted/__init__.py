"""Scripted strategies, one file each, all with Stable-Baselines3's ``predict``.

``servo`` (lands on a pose), ``view`` (reads observations), ``base`` (lanes, memory, contacts) and ``finish``
(verification and arrival) are shared.
"""
