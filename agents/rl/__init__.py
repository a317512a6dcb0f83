"""Learned policies: decisions at waypoints, the environment to learn them in, training, and what is shipped.

``orders`` (what can be decided), ``waypoints`` (who carries it out), ``features`` (what a decision rests on), ``nets``,
``learned`` (``policy=learned``), ``practice`` (the batched environment of decisions), ``adapter`` (for
Stable-Baselines3), ``train``.
"""
