import { posix } from 'node:path'

// Nothing asks at a prompt: what a person has to decide is decided before, by reading the plan.
const env = { TF_IN_AUTOMATION: '1', TF_INPUT: '0' }

// terraformTargets returns the targets of the Terraform project in a directory. backend is the project that makes the
// place of its state ({ name, root }), or null where that is a local file.
export function terraformTargets(root, backend) {
  const run = (commands, more = {}) => ({
    executor: 'nx:run-commands',
    options: { cwd: root, commands: [].concat(commands).map(step), parallel: false, env },
    ...more
  })
  const stereospot = posix.join(posix.relative(root, '.'), 'bin/stereospot')
  return {
    implicitDependencies: backend ? [backend.name] : [],
    targets: {
      'terraform-init': backend
        ? run(
            [
              { command: 'mkdir -p .terraform', forwardAllArgs: false },
              {
                command: `terraform -chdir=${posix.relative(root, backend.root)} output -json | ${stereospot} infra backend -o .terraform/backend.tfbackend`,
                forwardAllArgs: false
              },
              'terraform init -reconfigure -backend-config=.terraform/backend.tfbackend'
            ],
            { dependsOn: ['stereospot:build', { projects: [backend.name], target: 'terraform-apply' }] }
          )
        : run('terraform init'),
      'terraform-plan': run('terraform plan -out=tfplan', { dependsOn: ['terraform-init'] }),
      // Applies what terraform-plan has just shown, and nothing else.
      'terraform-apply': run('terraform apply tfplan', { dependsOn: ['terraform-plan'] }),
      // Wants -auto-approve after the target's name: there is no prompt to say yes at.
      'terraform-destroy': run('terraform destroy', { dependsOn: ['terraform-init'] }),
      // Knows neither backend nor credentials, so that it runs anywhere.
      'terraform-validate': run([
        { command: 'terraform fmt -check -diff', forwardAllArgs: false },
        { command: 'TF_DATA_DIR=.terraform/validate terraform init -backend=false', forwardAllArgs: false },
        'TF_DATA_DIR=.terraform/validate terraform validate'
      ]),
      'terraform-output': run(`terraform output -json | ${stereospot} infra env -o .env`, {
        dependsOn: ['stereospot:build', 'terraform-init']
      }),
      // The Go tests that hold the project against the code.
      test: {
        executor: 'nx:run-commands',
        options: { command: 'go test ./internal/infra/...' },
        inputs: ['default', 'go', '{workspaceRoot}/infra/**/*.tf'],
        cache: true
      }
    }
  }
}

// step is a command as nx:run-commands takes it.
function step(command) {
  return typeof command === 'string' ? { command, forwardAllArgs: true } : command
}
