# Images and clusters. What each takes from the command line is said in images/build and manifests/deploy.
IMAGE_NAMES ?= race rollout tools watch serve builder

.PHONY: images
images: ## build the container images: [ENGINE=docker|podman|buildah] [IMAGES=prefix] [BASE_IMAGE=…] [PUSH=1] [IMAGE_NAMES="race race-gpu …"]
	@ENGINE='$(ENGINE)' IMAGES='$(IMAGES)' BASE_IMAGE='$(BASE_IMAGE)' PUSH='$(PUSH)' TORCH='$(TORCH)' images/build $(IMAGE_NAMES)

.PHONY: deploy
deploy: ## put KubeRacer into the cluster: [OVERLAY=argo|kfp|gpu|s3|kind] [INSTALL=1, the engine too] [IMAGES=prefix]
	@OVERLAY='$(OVERLAY)' INSTALL='$(filter 1,$(INSTALL))' IMAGES='$(IMAGES)' manifests/deploy

.PHONY: undeploy
undeploy: ## take it out again, with the object store's data
	@manifests/deploy undeploy

.PHONY: cluster-up
cluster-up: ## a kind cluster with all of it (needs Docker, kind, kubectl)
	@ENGINE=docker IMAGES='$(IMAGES)' BASE_IMAGE='$(BASE_IMAGE)' manifests/kind/up

.PHONY: cluster-down
cluster-down: ## remove that kind cluster
	@kind delete cluster --name kuberacer
