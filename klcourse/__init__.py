"""klcourse: the helper package of a Jupyter course on KL vanishing in variational autoencoders.

Nothing is imported here, so `import klcourse` is instant; take what you need from its modules.
"""

__version__ = "0.1.0"
