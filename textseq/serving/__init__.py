"""A local server that answers as TF Serving does, over exported folders only: REST, gRPC and a page to try texts on."""
