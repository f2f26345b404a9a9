import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createNodes, infer } from './plugin.mjs'

const workspace = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const terraformTargets = ['init', 'plan', 'apply', 'destroy', 'validate', 'output'].map((verb) => `terraform-${verb}`)
const scratch = mkdtempSync(join(tmpdir(), 'nx-plugin-'))
after(() => rmSync(scratch, { recursive: true }))

// write makes files in the scratch directory, by path.
function write(files) {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(scratch, dirname(path)), { recursive: true })
    writeFileSync(join(scratch, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
}

test('both Terraform projects of the workspace have every target', () => {
  for (const root of ['infra/aws-infra-setup', 'infra/aws-infra']) {
    const { targets } = infer(`${root}/project.json`, workspace)[root]
    assert.deepEqual(Object.keys(targets).sort(), [...terraformTargets, 'test'].sort())
  }
})

test('aws-infra is initialised with what aws-infra-setup applied', () => {
  const project = infer('infra/aws-infra/project.json', workspace)['infra/aws-infra']
  assert.deepEqual(project.implicitDependencies, ['aws-infra-setup'])
  assert.deepEqual(project.targets['terraform-init'].dependsOn, [
    'stereospot:build',
    { projects: ['aws-infra-setup'], target: 'terraform-apply' }
  ])
  const setup = infer('infra/aws-infra-setup/project.json', workspace)['infra/aws-infra-setup']
  assert.deepEqual(setup.implicitDependencies, [])
  assert.equal(setup.targets['terraform-init'].dependsOn, undefined)
})

test('every image of the workspace is built, pushed and rolled out', () => {
  const rollouts = {
    'web-ui': 'infra deploy web-ui ',
    'media-worker': 'infra deploy media-worker ',
    'video-worker': 'infra deploy video-worker ',
    'stereo-inference': 'infra inference-redeploy '
  }
  for (const [name, rollout] of Object.entries(rollouts)) {
    const { targets, implicitDependencies } = infer(`docker/${name}/project.json`, workspace)[`docker/${name}`]
    assert.deepEqual(implicitDependencies, ['stereospot'])
    assert.equal(targets['docker-build'].options.command, `scripts/docker-build.sh ${name}`)
    assert.ok(targets.deploy.options.command.includes(rollout), targets.deploy.options.command)
    assert.deepEqual(targets.deploy.dependsOn, ['stereospot:build', 'docker-push'])
    assert.deepEqual(targets['docker-push'].dependsOn, ['docker-build', 'aws-infra:ecr-login'])
  }
})

test('a directory without Terraform files and images gets nothing', () => {
  write({ 'plain/project.json': { name: 'plain' } })
  assert.deepEqual(infer('plain/project.json', scratch), {})
  assert.deepEqual(createNodes[1](['plain/project.json'], undefined, { workspaceRoot: scratch }), [
    ['plain/project.json', { projects: {} }]
  ])
})

test('a backend that is no project, and an unknown rollout, are refused', () => {
  write({
    'infra/lost/project.json': { name: 'lost', metadata: { terraform: { backendProject: 'nowhere' } } },
    'infra/lost/main.tf': '',
    'odd/project.json': { name: 'odd', metadata: { image: { rollout: 'moon' } } }
  })
  assert.throws(() => infer('infra/lost/project.json', scratch), /nowhere/)
  assert.throws(() => infer('odd/project.json', scratch), /moon/)
})

// The commands themselves, as a shell runs them, with programs in Terraform's and StereoSpot's place that write down how
// they were called. Terraform's fails when the file `fail` names its first word.
const recorder = (name) => `#!/bin/sh
printf '%s %s (%s)\\n' ${name} "$*" "\${PWD##*/}" >>${scratch}/calls
[ "$(cat ${scratch}/fail 2>/dev/null)" != "$1" ] || exit 1
case "$*" in
  *"output -json") echo '{"from": "terraform"}' ;;
  infra*) cat >${scratch}/stdin ;;
esac
`

function stage() {
  write({
    'infra/place/project.json': { name: 'place' },
    'infra/place/main.tf': '',
    'infra/main/project.json': { name: 'main', metadata: { terraform: { backendProject: 'place' } } },
    'infra/main/main.tf': '',
    'path/terraform': recorder('terraform'),
    'bin/stereospot': recorder('stereospot'),
    calls: '',
    fail: ''
  })
  chmodSync(join(scratch, 'path/terraform'), 0o755)
  chmodSync(join(scratch, 'bin/stereospot'), 0o755)
}

// runTarget runs a target's commands in order, as nx:run-commands does, and returns the calls and whether all went well.
function runTarget(project, target, { args = '', fail = '' } = {}) {
  stage()
  writeFileSync(join(scratch, 'fail'), fail)
  const { cwd, commands, env } = infer(`infra/${project}/project.json`, scratch)[`infra/${project}`].targets[target].options
  const path = join(scratch, 'path') + delimiter + process.env.PATH
  const well = commands.every(({ command, forwardAllArgs }) => {
    const line = forwardAllArgs && args ? `${command} ${args}` : command
    return spawnSync('sh', ['-c', line], { cwd: join(scratch, cwd), env: { ...process.env, ...env, PATH: path } }).status === 0
  })
  const calls = readFileSync(join(scratch, 'calls'), 'utf8').trim().split('\n')
  return { well, calls }
}

test('the commands call Terraform as they should', () => {
  const want = {
    'place terraform-init': ['terraform init (place)'],
    'main terraform-init': [
      'terraform -chdir=../place output -json (main)',
      'stereospot infra backend -o .terraform/backend.tfbackend (main)',
      'terraform init -reconfigure -backend-config=.terraform/backend.tfbackend (main)'
    ],
    'main terraform-plan': ['terraform plan -out=tfplan (main)'],
    'main terraform-apply': ['terraform apply tfplan (main)'],
    'main terraform-destroy': ['terraform destroy (main)'],
    'main terraform-validate': [
      'terraform fmt -check -diff (main)',
      'terraform init -backend=false (main)',
      'terraform validate (main)'
    ],
    'main terraform-output': ['terraform output -json (main)', 'stereospot infra env -o .env (main)']
  }
  for (const [target, calls] of Object.entries(want)) {
    const got = runTarget(...target.split(' '))
    assert.deepEqual({ ...got, calls: got.calls.sort() }, { well: true, calls: [...calls].sort() }, target)
  }
})

test("StereoSpot is given what Terraform printed, and the backend's file has a place", () => {
  assert.ok(runTarget('main', 'terraform-init').well)
  assert.equal(readFileSync(join(scratch, 'stdin'), 'utf8'), '{"from": "terraform"}\n')
  assert.ok(existsSync(join(scratch, 'infra/main/.terraform')))
})

test('further arguments go to the last command alone', () => {
  assert.deepEqual(runTarget('main', 'terraform-destroy', { args: '-auto-approve' }).calls, ['terraform destroy -auto-approve (main)'])
  assert.deepEqual(runTarget('main', 'terraform-init', { args: '-upgrade' }).calls.at(-1), 'terraform init -reconfigure -backend-config=.terraform/backend.tfbackend -upgrade (main)')
})

test('what fails ends the target', () => {
  for (const [fail, target] of [['fmt', 'terraform-validate'], ['infra', 'terraform-output'], ['infra', 'terraform-init'], ['apply', 'terraform-apply']]) {
    assert.equal(runTarget('main', target, { fail }).well, false, `${target} when ${fail} fails`)
  }
  assert.deepEqual(runTarget('main', 'terraform-validate', { fail: 'fmt' }).calls, ['terraform fmt -check -diff (main)'])
})

test('the lock file names no registry', () => {
  const lock = JSON.parse(readFileSync(join(workspace, 'package-lock.json'), 'utf8'))
  for (const [path, { resolved }] of Object.entries(lock.packages)) {
    assert.ok(!resolved || resolved.startsWith('https://registry.npmjs.org/'), `${path}: ${resolved}`)
  }
  assert.match(lock.packages['node_modules/nx'].version, /^\d+\.\d+\.\d+$/)
})
