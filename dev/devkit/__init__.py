"""What the commands in dev/ share: steps, keyed artefacts, the development cluster, its images.

Standard library only: these run on a fresh machine, before anything of the project is installed.
"""
