"""The room where models are taken in, looked at, tried, made smaller and removed, before they are served."""
