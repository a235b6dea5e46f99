"""The authoring API: projects, training, evaluation and deployment over HTTP."""
