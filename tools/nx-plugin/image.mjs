// What makes a deployment run a pushed image, by metadata.image.rollout.
const rollouts = {
  ecs: (name) => `bin/stereospot infra deploy ${name}`,
  sagemaker: () => 'bin/stereospot infra inference-redeploy'
}

// imageTargets returns the targets of an image, whose tag is the commit.
export function imageTargets(name, { rollout }) {
  if (!rollouts[rollout]) {
    throw new Error(`${name}: metadata.image.rollout is ${rollout}: use one of ${Object.keys(rollouts).join(', ')}`)
  }
  const run = (command, more = {}) => ({ executor: 'nx:run-commands', options: { command }, ...more })
  return {
    implicitDependencies: ['stereospot'],
    targets: {
      'docker-build': run(`scripts/docker-build.sh ${name}`),
      'docker-push': run(`scripts/docker-push.sh ${name}`, { dependsOn: ['docker-build', 'aws-infra:ecr-login'] }),
      deploy: run(`${rollouts[rollout](name)} $(git rev-parse HEAD)`, { dependsOn: ['stereospot:build', 'docker-push'] }),
      // The Go tests that run the scripts and hold the Dockerfiles against the code.
      test: run('go test ./internal/infra/...', {
        inputs: ['default', 'go', '{workspaceRoot}/docker/**/*', '{workspaceRoot}/scripts/docker-*.sh'],
        cache: true
      })
    }
  }
}
