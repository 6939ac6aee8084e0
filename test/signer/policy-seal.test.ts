/**
 * Tests that a person who can write `policy.json`, but lacks the passphrase, does not change what is signed.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { policyDifference } from '../../signer/policy/policy-difference.js'
import { alice, bob, mallory } from './fixture.js'
import { buildSigner, openSignerProgram, type SignerProgram } from './signer-program.js'

let program: string
let signer: SignerProgram
let policyPath: string
let sealPath: string

beforeAll(async () => {
  program = await buildSigner()
})
afterAll(() => rmSync(dirname(program), { recursive: true }))
beforeEach(async () => {
  signer = await openSignerProgram(program)
  policyPath = join(signer.home, 'policy.json')
  sealPath = join(signer.home, 'policy.seal')
  expect(await signer.init()).toMatchObject({ code: 0 })
})
afterEach(() => signer.close())

const policyText = () => readFileSync(policyPath, 'utf8')

/** Returns the policy with one more approver. */
function withMallory(text = policyText()): string {
  const policy = JSON.parse(text)
  policy.approvers.push({
    approver_id: mallory.approverId,
    person_id: mallory.personId,
    name: 'Mallory',
    public_key: mallory.publicKey,
  })
  return `${JSON.stringify(policy, null, 2)}\n`
}

const stopped = () => signer.platform.claims.at(-1)?.stopped
const status = async () => JSON.parse((await signer.command(['status'])).stdout).policy

test('refuses an approver that was written into policy.json by hand until the passphrase accepted the difference', async () => {
  await signer.pin(alice)
  signer.start()
  await signer.platform.waitFor(() => signer.platform.claims.length > 0 && stopped() === undefined)
  writeFileSync(policyPath, withMallory())
  await signer.platform.waitFor(() => stopped() === 'policy_unreadable')
  expect(await status()).toMatchObject({ usable: false, seal: 'changed' })

  // No other command seals it in passing.
  const refused = { code: 1, stderr: expect.stringContaining('policy accept') }
  expect(await signer.pin(bob)).toMatchObject(refused)
  expect(await signer.command(['policy', 'set', '--yes', '--from', policyPath])).toMatchObject(refused)
  expect(await signer.command(['policy', 'accept'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no terminal'),
  })
  const wrong = { KEYTURN_SIGNER_PASSPHRASE: 'incorrect horse battery' }
  expect(await signer.command(['policy', 'accept', '--yes'], wrong)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('passphrase is wrong'),
  })
  expect(stopped()).toBe('policy_unreadable')

  const accepted = await signer.command(['policy', 'accept', '--yes'])
  expect(accepted).toMatchObject({ code: 0 })
  expect(accepted.stderr.trim().split('\n')).toEqual([
    '+ approvers.apr_mallory.approver_id: "apr_mallory"',
    '+ approvers.apr_mallory.name: "Mallory"',
    '+ approvers.apr_mallory.person_id: "per_mallory"',
    `+ approvers.apr_mallory.public_key: "${mallory.publicKey}"`,
  ])
  await signer.platform.waitFor(() => stopped() === undefined)
  expect(await status()).toMatchObject({ usable: true, seal: 'sealed', approvers: 2 })
})

test('refuses a seal that was written without the passphrase, or comes from another signer', async () => {
  const changed = withMallory()
  const seal = JSON.parse(readFileSync(sealPath, 'utf8'))
  writeFileSync(policyPath, changed)
  writeFileSync(sealPath, JSON.stringify({ ...seal, policy: changed }))
  const output = signer.start()
  await signer.platform.waitFor(() => stopped() === 'policy_unreadable')
  expect(output()).toContain('changed without its seal')
  expect(await signer.pin(bob)).toMatchObject({ code: 1 })
  // The copy in a false seal does not prove what was in force, so the whole policy is shown.
  const shown = await signer.command(['policy', 'accept'])
  expect(shown.stderr).toContain('+ quorum: 2')

  const other = await openSignerProgram(program)
  try {
    await other.init()
    writeFileSync(policyPath, readFileSync(join(other.home, 'policy.json')))
    writeFileSync(sealPath, readFileSync(join(other.home, 'policy.seal')))
    expect(await signer.pin(bob)).toMatchObject({ code: 1, stderr: expect.stringContaining('accept') })
  } finally {
    await other.close()
  }
})

test('refuses to run a home of an earlier version until its operator has sealed the policy', async () => {
  rmSync(sealPath)
  expect(await signer.command(['run'])).toMatchObject({
    code: 1,
    stderr: `The policy in ${signer.home} is not sealed. Review it and seal it: keyturn-signer policy accept --home ${signer.home}\n`,
  })
  expect(await status()).toMatchObject({ usable: false, seal: 'missing' })
  expect(await signer.command(['policy', 'accept', '--yes'])).toMatchObject({ code: 0 })
  signer.start()
  await signer.platform.waitFor(() => signer.platform.claims.length > 0)
  expect(stopped()).toBeUndefined()
})

test('refuses the policy after a crash between seal and policy, and repairs it with the same command', async () => {
  const before = policyText()
  await signer.pin(alice)
  writeFileSync(policyPath, before)
  expect(await status()).toMatchObject({ usable: false })
  expect(await signer.command(['policy', 'accept', '--yes'])).toMatchObject({ code: 0 })
  expect(await signer.pin(alice)).toMatchObject({ code: 0 })
  expect(await status()).toMatchObject({ usable: true, approvers: 1 })
})

test('changes the policy in an editor or from a file, and nothing after a mistake', async () => {
  const edit = (editor: string) => signer.command(['policy', 'edit', '--yes'], { EDITOR: editor })
  expect(await edit(`sed -i 's/"quorum": 2/"quorum": 3/'`)).toMatchObject({
    code: 0,
    stderr: '- quorum: 2\n+ quorum: 3\n',
  })
  expect(await status()).toMatchObject({ usable: true, quorum: 3 })
  expect(await edit(`sed -i 's/"quorum": 3/"quorum": "three"/'`)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('quorum'),
  })
  expect(await edit('false')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nothing was changed'),
  })
  expect(await status()).toMatchObject({ usable: true, quorum: 3 })

  const file = join(signer.home, '..', 'mine.json')
  writeFileSync(file, policyText().replace('"quorum": 3', '"quorum": 4'))
  expect(await signer.command(['policy', 'set', '--yes', '--from', file])).toMatchObject({ code: 0 })
  expect(await status()).toMatchObject({ usable: true, quorum: 4 })
})

test('shows control characters of a name in the difference', () => {
  const named = (name: string) => JSON.stringify({ name })
  expect(policyDifference(named('Ann'), named('Ann\u202e\u0085\u001b[2K'))).toEqual([
    '- name: "Ann"',
    '+ name: "Ann\\u{202e}\\u{85}\\u001b[2K"',
  ])
})

test('shows control characters of an unusable policy, also in errors', async () => {
  const file = join(signer.home, 'other.json')
  writeFileSync(file, JSON.stringify({ ...JSON.parse(policyText()), '\u001b[2J\u202e': 1 }))
  const shown = await signer.command(['verify-policy', '--file', file])
  expect(shown).toMatchObject({ code: 1, stderr: expect.stringContaining('\\u{1b}[2J\\u{202e}') })
  expect(shown.stderr).not.toMatch(/[^\n\P{C}]/u)
})
