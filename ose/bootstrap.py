"""Composition root: settings in, store, artifacts, backend and coordinator out.

The only module of `ose` that names `workers`, and it does so lazily, so that whoever only submits or
reads loads neither torch nor ray.
"""
