#!/usr/bin/env bash
# Signs docker in to the deployment's image registry, for twelve hours.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source "${STEREOSPOT_DEPLOYMENT:-infra/aws-infra/.env}"
repository=${ECR_REPOSITORY_URL_WEB_UI:?is not set: run npx nx run aws-infra:terraform-output}
bin/stereospot infra registry-password | docker login --username AWS --password-stdin "${repository%%/*}"
