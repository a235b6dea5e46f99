"""Display models: what brings recognised words into the form that is shown. Each type may be missing."""
