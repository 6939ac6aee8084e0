/** Tests the executable against a platform double: enrolment, a lost reply, policy, run, status, unlock. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BIP32Factory } from 'bip32'
import * as ecc from 'tiny-secp256k1'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { xpubProofMessage } from '../../domain/signing/signer-protocol.js'
import { buildProgram } from '../../local/build-program.js'
import { alice, approve, bob, ethRequest, MNEMONIC, OTHER_MNEMONIC } from './fixture.js'
import { type PlatformDouble, startPlatform } from './platform-double.js'

let directory: string
let program: string
let home: string
let platform: PlatformDouble
let children: ChildProcess[]

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-program-'))
  program = join(directory, 'keyturn-signer')
  await buildProgram('signer/main.ts', program)
})

afterAll(() => rmSync(directory, { recursive: true }))

beforeEach(async () => {
  home = join(mkdtempSync(join(tmpdir(), 'keyturn-signer-')), 'home')
  platform = await startPlatform()
  children = []
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await platform.close()
  rmSync(join(home, '..'), { recursive: true, force: true })
})

const environment = { PATH: process.env.PATH ?? '', KEYTURN_SIGNER_PASSPHRASE: 'correct horse battery' }

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function signer(args: string[], input = '', extra: Record<string, string> = {}): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { env: { ...environment, ...extra } },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    )
    child.stdin?.end(input)
  })
}

function init(more: string[] = [], input = '', extra: Record<string, string> = {}): Promise<Result> {
  return signer(
    [
      'init',
      '--platform',
      platform.url,
      '--token',
      platform.token,
      '--home',
      home,
      '--insecure-test-scrypt-n',
      '1024',
      '--witness',
      join(home, '..', 'witness'),
      ...more,
    ],
    input,
    extra,
  )
}

/** Starts `run`. @returns A function that gives its log lines so far. */
function start(): {
  child: ChildProcess
  lines: () => Record<string, unknown>[]
  ended: Promise<number | null>
} {
  const child = spawn(process.execPath, [program, 'run', '--home', home], { env: environment })
  children.push(child)
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  child.stderr.on('data', (chunk) => {
    text += chunk
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return {
    child,
    ended,
    lines: () =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
  }
}

const pin = (approver: typeof alice) =>
  signer([
    'approve-device',
    '--home',
    home,
    '--id',
    approver.approverId,
    '--person',
    approver.personId,
    '--name',
    approver.personId,
    '--public-key',
    approver.publicKey,
  ])

/** Makes the honest request with the present time. */
function requestOfNow(id: string) {
  const time = (offset: number) => new Date(Date.now() + offset).toISOString()
  const base = ethRequest({
    intent: { withdrawal: id, created_at: time(0), expires_at: time(3_600_000) },
    payload: { nonce: 0 },
  })
  const approvals = [alice, bob].map((each) => approve(base.intent_hash, each, { signedAt: time(0) }))
  return { ...base, id: `srq_${id}`, approvals }
}

test('enrols with a proven xpub for each role and network, files for the owner only, and a policy that denies until an approver is pinned', async () => {
  const result = await init(['--name', 'vault', '--limit', 'ethereum:eth:1.5:none'])
  // The test's directory is on one disk.
  expect(result.stderr).toMatch(/^The witness .* is on the same filesystem as the home.*\n/)
  expect(result.stderr).toContain(`keyturn-signer show-mnemonic --home ${home}`)
  expect(JSON.parse(result.stdout)).toMatchObject({
    signer_id: 'sig_1',
    merchant_id: 'mer_1',
    networks: ['ethereum', 'bitcoin'],
  })
  const [enrolment] = platform.enrolments as [(typeof platform.enrolments)[number]]
  expect(enrolment).toMatchObject({ name: 'vault', journal_sequence: 1 })
  expect(enrolment.xpubs.map(({ network, role, path }) => `${network} ${role} ${path}`)).toEqual([
    "ethereum deposit m/44'/60'/0'",
    "ethereum master m/44'/60'/1'",
    "ethereum hot m/44'/60'/2'",
    "ethereum gas m/44'/60'/3'",
    "bitcoin deposit m/84'/1'/0'",
    "bitcoin master m/84'/1'/1'",
    "bitcoin hot m/84'/1'/2'",
    "bitcoin gas m/84'/1'/3'",
  ])
  for (const report of enrolment.xpubs) {
    const version =
      report.network === 'bitcoin'
        ? { public: 0x043587cf, private: 0x04358394 }
        : { public: 0x0488b21e, private: 0x0488ade4 }
    const node = BIP32Factory(ecc).fromBase58(report.xpub, { wif: 0, bip32: version })
    const digest = createHash('sha256')
      .update(xpubProofMessage(report, enrolment.identity_public_key))
      .digest()
    expect(ecc.verify(digest, node.publicKey, Buffer.from(report.proof, 'base64'))).toBe(true)
    expect(node.isNeutered()).toBe(true)
  }
  for (const file of readdirSync(home)) expect(statSync(join(home, file)).mode & 0o077).toBe(0)
  expect(existsSync(join(home, 'process.json'))).toBe(false)

  const exported = JSON.parse((await signer(['export-policy', '--home', home])).stdout)
  expect(exported.policy).toMatchObject({ quorum: 2, approvers: [], merchant_id: 'mer_1' })
  expect(exported.policy.networks.ethereum.assets).toMatchObject({
    eth: { per_transaction: '1.5', daily: null },
    usdt: { per_transaction: '2500', daily: '5000' },
  })
  const xpubs = JSON.parse((await signer(['export-xpubs', '--home', home])).stdout)
  expect(xpubs).toEqual({
    merchant_id: 'mer_1',
    networks: enrolment.xpubs.map(({ proof: _proof, ...xpub }) => ({
      ...xpub,
      max_index: 1_000_000,
      addresses: xpub.network === 'ethereum' ? { form: 'evm' } : { form: 'p2wpkh', prefix: 'bcrt' },
    })),
  })
})

test('repeats an enrolment whose answers were lost, with the same keys', async () => {
  platform.misbehave.push(...Array<'lost reply'>(6).fill('lost reply'))
  const lost = await init()
  expect(lost).toMatchObject({ code: 1, stderr: expect.stringContaining('run the same init again') })
  const again = await init()
  expect(again.code).toBe(0)
  const identities = new Set(platform.enrolments.map((each) => each.identity_public_key))
  expect(identities.size).toBe(1)
  expect(
    new Set(platform.enrolments.map((each) => JSON.stringify(each.xpubs.map((xpub) => xpub.xpub)))).size,
  ).toBe(1)
  expect((await init()).stdout).toBe(again.stdout)
})

test('refuses to enrol with a used token, a forged signature, another key, or a wallet of another seed', async () => {
  platform.misbehave.push('refused')
  expect(await init()).toMatchObject({ code: 1, stderr: expect.stringContaining('refuses the enrolment') })
  platform.misbehave.push(...Array<'forged signature'>(6).fill('forged signature'))
  expect(await init()).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not signed by the platform'),
  })
  platform.enrolment = { platform_public_key: Buffer.alloc(32, 1).toString('base64') }
  expect(await init()).toMatchObject({ code: 1, stderr: expect.stringContaining('another key') })
  platform.enrolment = {
    wallets: [{ network: 'ethereum', kind: 'hot', address: '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC' }],
  }
  expect(await init()).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('as hot wallet on ethereum'),
  })
  expect(existsSync(join(home, 'signer.json'))).toBe(false)
})

test('restores a seed from words on standard input, and never writes them anywhere', async () => {
  expect(await init(['--restore'], 'abandon abandon about')).toMatchObject({ code: 1 })
  const result = await init(['--restore'], `${MNEMONIC}\n`)
  expect(JSON.parse(result.stdout)).toMatchObject({ master_fingerprint: '73c5da0a' })
  const files = readdirSync(home).map((file) => readFileSync(join(home, file), 'utf8'))
  for (const text of [result.stdout, result.stderr, ...files]) expect(text).not.toContain('abandon')
  // The new journal lacks the payouts of another signer with this seed.
  expect(readFileSync(join(home, 'journal.jsonl'), 'utf8')).toContain('"enrolled"')
  expect((await init(['--restore'], OTHER_MNEMONIC)).code).toBe(0)
  rmSync(join(home, 'signer.json'))
  expect(await init(['--restore'], OTHER_MNEMONIC)).toMatchObject({
    stderr: expect.stringContaining('another seed'),
  })
  expect(await init([], '', { KEYTURN_SIGNER_PASSPHRASE: 'wrong passphrase' })).toMatchObject({
    stderr: expect.stringContaining('passphrase is wrong'),
  })
})

test('denies before an approver is pinned, signs after, stops on SIGTERM, continues after kill -9 and locks on an old journal', async () => {
  await init(['--restore', '--limit', 'ethereum:eth:10:50'], MNEMONIC)
  const first = start()
  await platform.waitFor(() => platform.claims.length > 0)
  const withdrawal = requestOfNow('withdrawal_1')
  platform.queue.push(withdrawal)
  await platform.waitFor(() => platform.answers.length === 1)
  expect(platform.answers[0]).toMatchObject({ outcome: 'refused', code: 'QUORUM_NOT_MET' })

  expect(JSON.parse((await pin(alice)).stdout)).toMatchObject({ approvers: 1 })
  expect(JSON.parse((await pin(bob)).stdout)).toMatchObject({ approvers: 2, persons: 2 })
  platform.queue.push(withdrawal)
  const signed = await platform.waitFor(() => platform.answers[1])
  expect(signed).toMatchObject({ outcome: 'signed' })
  expect(await signer(['run', '--home', home])).toMatchObject({ stderr: expect.stringContaining('uses') })
  const status = JSON.parse((await signer(['status', '--home', home])).stdout)
  expect(status).toMatchObject({
    signer_id: 'sig_1',
    running: true,
    paused: false,
    locked: false,
    policy: { approvers: 2 },
  })
  expect(status.last_contact).not.toBeNull()
  const journal = readFileSync(join(home, 'journal.jsonl'))
  expect(status.journal).toMatchObject({ bytes: journal.length, bytes_last_day: journal.length })
  expect(status.journal.lines).toBe(journal.toString('utf8').split('\n').length - 1)

  first.child.kill('SIGKILL')
  await first.ended
  platform.disconnect()
  const second = start()
  platform.queue.push(withdrawal)
  const again = await platform.waitFor(() => platform.answers[2])
  expect(again).toMatchObject({
    outcome: 'signed',
    signed_transaction: (signed as { signed_transaction: string }).signed_transaction,
  })

  writeFileSync(join(home, 'PAUSED'), '')
  await platform.waitFor(() => platform.claims.at(-1)?.stopped === 'paused')
  platform.queue.push(requestOfNow('withdrawal_2'))
  const policy = readFileSync(join(home, 'policy.json'), 'utf8')
  writeFileSync(join(home, 'policy.json'), policy.slice(0, 100))
  rmSync(join(home, 'PAUSED'))
  await platform.waitFor(() => platform.claims.at(-1)?.stopped === 'policy_unreadable')
  expect(platform.queue).toHaveLength(1)
  writeFileSync(join(home, 'policy.json'), policy)
  // Nonce 0 belongs to w1, so the request was examined, and refused for its nonce.
  expect(await platform.waitFor(() => platform.answers[3])).toMatchObject({ code: 'NONCE_CONFLICT' })

  platform.knownJournal = { head: 'ab'.repeat(32), sequence: 90 }
  await platform.waitFor(() => platform.claims.at(-1)?.stopped === 'journal_stale')
  second.child.kill('SIGTERM')
  expect(await second.ended).toBe(0)
  const text = JSON.stringify([...first.lines(), ...second.lines()])
  expect(text).not.toContain('abandon')
  expect(text).not.toContain(environment.KEYTURN_SIGNER_PASSPHRASE)

  expect(JSON.parse((await signer(['status', '--home', home])).stdout)).toMatchObject({
    running: false,
    locked: { how: 'behind', known: { sequence: 90 } },
  })
  expect(await signer(['unlock', '--home', home, '--head', 'cd'.repeat(32)])).toMatchObject({ code: 1 })
  expect(
    JSON.parse((await signer(['unlock', '--home', home, '--head', 'ab'.repeat(32)])).stdout),
  ).toMatchObject({
    journal: { sequence: 91 },
  })
  start()
  platform.queue.push(requestOfNow('withdrawal_4'))
  const after = await platform.waitFor(() =>
    platform.answers.find((each) => each.request_id === 'srq_withdrawal_4'),
  )
  // Nonce 0 belongs to w1: the lock is gone, but not the journal.
  expect(after).toMatchObject({ code: 'NONCE_CONFLICT' })
})

test('prints the help of each command, and the fault of a wrong call', async () => {
  for (const command of [
    'init',
    'run',
    'status',
    'export-xpubs',
    'export-policy',
    'approve-device',
    'policy',
    'verify-policy',
    'show-mnemonic',
    'unlock',
    'witness',
  ]) {
    expect((await signer([command, '--help'])).stdout).toContain(`keyturn-signer ${command}`)
  }
  expect(await signer(['sign'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no command sign'),
  })
  expect(await signer(['status', '--hom', 'x'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--hom'),
  })
  expect(await signer(['init', '--platform', 'x', '--token', 'ket_x', '--home', home])).toMatchObject({
    stderr: expect.stringContaining('not an enrolment token'),
  })
})
