"""The authoring API: projects, trainings, models and deployments over HTTP, on the box itself."""
