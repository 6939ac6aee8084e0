/** The approver's executable as a process, against an API that may lie. */

import { execFile } from 'node:child_process'
import { createHmac, createPublicKey, verify } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeIntent } from '../../client/approve/describe-intent.js'
import { approvalMessage } from '../../domain/controls/approval.js'
import {
  type Intent,
  intentHash,
  type PolicyIntent,
  type WhitelistIntent,
} from '../../domain/controls/intent.js'
import { requestMessage } from '../../domain/signing/request-signature.js'
import { usdtIntent } from '../signer/fixture.js'

const SECRET = 'approver-secret'
const intent: Intent = usdtIntent({ expires_at: '2999-01-01T00:00:00.000Z' })

let directory: string
let server: Server
let api: string
let sent: { path: string; body: Record<string, unknown>; headers: Record<string, unknown> }[]
let answer: { intent: unknown; intent_hash: string }

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-approve-'))
  sent = []
  answer = { intent, intent_hash: intentHash(intent) }
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const message = requestMessage({
      timestamp: String(request.headers['x-timestamp']),
      nonce: String(request.headers['x-nonce']),
      method: request.method ?? '',
      path: request.url ?? '',
      body,
    })
    const signed =
      request.headers['x-signature'] === createHmac('sha256', SECRET).update(message).digest('hex')
    response.statusCode = signed ? 200 : 401
    if (request.method === 'POST') {
      sent.push({ path: request.url ?? '', body: JSON.parse(body.toString()), headers: request.headers })
    }
    const failure = {
      code: 'INVALID_SIGNATURE',
      message: 'Check the secret',
      details: {},
      request_id: 'req_1',
    }
    response.end(
      JSON.stringify(
        signed
          ? { success: true, data: request.method === 'GET' ? answer : { id: 'apv_1' } }
          : { success: false, error: failure },
      ),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true })
})

async function run(args: string[], environment: Record<string, string> = {}) {
  const call = promisify(execFile)(process.execPath, ['--import', 'tsx', 'client/approve.ts', ...args], {
    env: {
      PATH: process.env.PATH,
      KEYTURN_API: api,
      KEYTURN_API_KEY: 'key_1',
      KEYTURN_API_SECRET: SECRET,
      KEYTURN_APPROVER_ID: 'apr_1',
      KEYTURN_APPROVER_KEY_FILE: join(directory, 'key.pem'),
      ...environment,
    },
  })
  return call.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
}

test('makes a key, shows an intent, and sends a decision whose signature verifies', async () => {
  const keyFile = join(directory, 'key.pem')
  const made = await run(['keygen', '--out', keyFile])
  const { public_key } = JSON.parse(made.stdout)
  expect(statSync(keyFile).mode & 0o777).toBe(0o600)
  expect((await run(['keygen', '--out', keyFile])).code).toBe(1)

  const shown = await run(['show', 'withdrawal_usdt'])
  expect(shown.stdout).toContain('25 usdt to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8')
  expect(shown.stdout).toContain('at most 0.01 eth')
  expect(shown.stdout).toContain('signer    sig_1')
  expect(shown.stdout).toContain(intentHash(intent))

  const approved = await run(['approve', 'withdrawal_usdt', '--yes', '--hash', intentHash(intent)])
  expect(approved).toMatchObject({ code: 0, stdout: 'Signed and sent: approve withdrawal_usdt\n' })
  const [{ path, body, headers }] = sent as [(typeof sent)[number]]
  expect(path).toBe('/api/v1/withdrawals/withdrawal_usdt/approvals')
  expect(headers['idempotency-key']).toBeTruthy()
  const message = approvalMessage({
    ...(body as { intent_hash: string; signed_at: string }),
    decision: 'approve',
    approver_id: 'apr_1',
  })
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(public_key, 'base64').toString('base64url') },
    format: 'jwk',
  })
  expect(verify(null, Buffer.from(message), key, Buffer.from(String(body.signature), 'base64'))).toBe(true)

  await run(['reject', 'withdrawal_usdt', '--yes', '--reason', 'not ours'])
  expect(sent[1]?.body).toMatchObject({ decision: 'reject', reason: 'not ours' })
})

test('accepts a file of credentials that the local stack writes', async () => {
  await run(['keygen', '--out', join(directory, 'key.pem')])
  const file = join(directory, 'credentials.json')
  const pem = readFileSync(join(directory, 'key.pem'), 'utf8')
  writeFileSync(
    file,
    JSON.stringify({
      id: 'apr_9',
      name: 'Ann',
      api_key: 'key_9',
      api_secret: SECRET,
      ed25519_private_key_pem: pem,
    }),
  )
  const result = await run(['approve', 'withdrawal_usdt', '--yes', '--json', '--credentials', file])
  expect(JSON.parse(result.stdout)).toMatchObject({ decision: 'approve', answer: { id: 'apv_1' } })
})

test('signs nothing when the platform lies about the hash', async () => {
  await run(['keygen', '--out', join(directory, 'key.pem')])
  answer = {
    intent: { ...intent, outputs: [{ address: '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC', amount: '1' }] },
    intent_hash: intentHash(intent),
  }
  const result = await run(['approve', 'withdrawal_usdt', '--yes'])
  expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('Do not sign') })
  expect(sent).toEqual([])
})

test('signs nothing when the intent has a field that it does not show, or another hash than the approver named', async () => {
  await run(['keygen', '--out', join(directory, 'key.pem')])
  expect((await run(['approve', 'withdrawal_usdt', '--yes', '--hash', 'ab'.repeat(32)])).stderr).toContain(
    'Do not sign',
  )
  const more = { ...intent, memo: 'hidden' } as Intent
  answer = { intent: more, intent_hash: intentHash(more) }
  expect((await run(['approve', 'withdrawal_usdt', '--yes'])).code).toBe(1)
  expect(sent).toEqual([])
})

test('signs nothing without a terminal and without --yes, and names missing or refused credentials', async () => {
  await run(['keygen', '--out', join(directory, 'key.pem')])
  expect((await run(['approve', 'withdrawal_usdt'])).stderr).toContain('no terminal')
  expect((await run(['show', 'withdrawal_usdt'], { KEYTURN_API_SECRET: 'wrong' })).stderr).toContain(
    'Check the secret',
  )
  expect((await run(['show', 'withdrawal_usdt'], { KEYTURN_APPROVER_ID: '' })).stderr).toContain(
    'KEYTURN_APPROVER_ID',
  )
  expect(sent).toEqual([])
})

test('shows control characters as escapes', () => {
  const text = describeIntent({ ...intent, external_id: 'a\u001b[2Kb\u202ec' }, 'hash')
  expect(text).toContain('a\\u{1b}[2Kb\\u{202e}c')
})

test('shows a change of policy field by field, and marks what loosens', async () => {
  const asked = {
    merchant: 'mer_1',
    initiator: 'per_1',
    created_at: '2024-01-15T12:30:00Z',
    expires_at: '2999-01-01T00:00:00Z',
  }
  const policy: PolicyIntent = {
    version: 1,
    kind: 'policy',
    change: 'pol_1',
    base_version: 3,
    changes: [
      { field: 'limits.user.ethereum.usdt.daily', from: '100', to: null, effect: 'loosening' },
      { field: 'whitelist.mode', from: 'off', to: 'required', effect: 'tightening' },
    ],
    cool_down_seconds: 86_400,
    ...asked,
  }
  answer = { intent: policy, intent_hash: intentHash(policy) }
  await run(['keygen', '--out', join(directory, 'key.pem')])
  const shown = await run(['show', 'policy/changes/pol_1'])
  expect(shown.stdout).toContain(
    'limits.user.ethereum.usdt.daily: 100 -> none (LOOSENS, 24 h after approval)',
  )
  expect(shown.stdout).toContain('whitelist.mode: off -> required (tightens, at once)')
  const approved = await run(['approve', 'policy/changes/pol_1', '--yes'])
  expect(approved.stdout).toContain('approve pol_1')
  answer = {
    intent: { ...policy, memo: 'hidden' },
    intent_hash: intentHash({ ...policy, memo: 'hidden' } as PolicyIntent),
  }
  expect((await run(['approve', 'policy/changes/pol_1', '--yes'])).code).not.toBe(0)
  const whitelist: WhitelistIntent = {
    version: 1,
    kind: 'whitelist',
    entry: 'wla_1',
    network: 'eip155:1',
    address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
    label: 'Customer\u001b[2K Wallet',
    daily_limit: '1000',
    monthly_limit: null,
    cool_down_seconds: 86_400,
    ...asked,
  }
  const text = describeIntent(whitelist, 'hash')
  expect(text).toContain('0x742d35Cc6634C0532925a3b844Bc454e4438f44e')
  expect(text).toContain('1000 a day, none in 30 days')
  expect(text).not.toContain('\u001b')
})

test('shows a batch in full: number, sum, every output, and addresses that are paid more than once', async () => {
  const [first, second] = [
    '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
    '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC',
  ]
  const outputs = Array.from({ length: 300 }, (_, index) => ({
    address: index < 2 ? first : `0x${(0xcccc_0000n + BigInt(index)).toString(16).padStart(40, '4')}`,
    amount: `${(index + 1) * 1_000_000}`,
  }))
  const batch: Intent = {
    ...intent,
    kind: 'batch',
    withdrawal: 'batch_1',
    outputs: [...outputs, { address: second, amount: '1' }],
  }
  const lines = describeIntent(batch, intentHash(batch)).split('\n')
  expect(lines).toContain('  payments  301 to 300 addresses, in all 45150.000001 usdt')
  expect(lines).toContain(`  #0        1 usdt to ${first} (one of 2 to this address)`)
  expect(lines).toContain(`  #1        2 usdt to ${first} (one of 2 to this address)`)
  expect(lines).toContain(`  #300      0.000001 usdt to ${second}`)
  expect(lines.filter((line) => line.startsWith('  #'))).toHaveLength(301)

  answer = { intent: batch, intent_hash: intentHash(batch) }
  await run(['keygen', '--out', join(directory, 'key.pem')])
  const { stdout } = await run(['approve', 'batch_1', '--yes'])
  expect(stdout).toBe('Signed and sent: approve batch_1\n')
  expect(sent.map((each) => each.path)).toEqual(['/api/v1/batches/batch_1/approvals'])
  expect(sent[0]?.body).toMatchObject({ decision: 'approve', intent_hash: intentHash(batch) })
})

test('signs nothing when the platform shows another intent than the approver asked for', async () => {
  await run(['keygen', '--out', join(directory, 'key.pem')])
  const wrong = [
    { id: 'withdrawal_other', named: 'withdrawal_other' },
    { id: 'batch_other', named: 'batch_other' },
    { id: 'movements/withdrawal_usdt', named: 'movements/withdrawal_usdt is not' },
    { id: 'policy/changes/withdrawal_usdt', named: 'policy/changes/withdrawal_usdt is not' },
    { id: 'whitelist/addresses/withdrawal_usdt', named: 'whitelist/addresses/withdrawal_usdt is not' },
    { id: 'deposits/releases/withdrawal_usdt', named: 'deposits/releases/withdrawal_usdt is not' },
  ]
  for (const { id, named } of wrong) {
    const refused = await run(['approve', id, '--yes'])
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(named) })
    expect(refused.stderr).toContain('Do not sign')
  }
  expect(sent).toEqual([])
})

test('makes the folder of a key for its owner alone, and says why it cannot write', async () => {
  const out = join(directory, 'new', 'folder', 'key.pem')
  expect(await run(['keygen', '--out', out])).toMatchObject({ code: 0 })
  expect(statSync(join(directory, 'new', 'folder')).mode & 0o777).toBe(0o700)
  expect((await run(['keygen', '--out', out])).stderr).toContain('exists already')
  const below = await run(['keygen', '--out', join(out, 'key.pem')])
  expect(below).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be written') })
})
