/** A merchant's program: signs a request, verifies a webhook, checks addresses, verifies a log, approves. */

import { strict as assert } from 'node:assert'
import { createHash, createHmac, generateKeyPairSync, verify } from 'node:crypto'
import {
  type Address,
  ApiError,
  checkAddress,
  createClient,
  type Deposit,
  type EventEnvelope,
  type ExportedXpub,
  ForeignAddressError,
  type Intent,
  intentHash,
  signDecision,
  verifyAuditLog,
  verifyWebhook,
  WebhookVerificationError,
  type Withdrawal,
} from '@keyturn/client'

// The first address of a published example of BIP-84.
const xpubs: readonly ExportedXpub[] = [
  {
    network: 'bitcoin',
    role: 'deposit',
    path: "m/84'/0'/0'",
    xpub: 'xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V',
  },
]
const ADDRESS = 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu'
const stored: Address = {
  id: 'adr_1',
  address: ADDRESS,
  network: 'bitcoin',
  user_reference: 'user-7',
  label: null,
  kind: 'deposit',
  derivation_path: "m/84'/0'/0'/0/0",
  created_at: '2024-01-15T12:30:00Z',
}

let served: Address = stored
const requests: { url: string; init: RequestInit }[] = []
const shop = createClient({
  baseUrl: 'https://pay.example',
  apiKey: 'key_1',
  apiSecret: 'secret',
  xpubs,
  fetch: async (url, init) => {
    requests.push({ url, init })
    return url.endsWith('/deposits/dep_0')
      ? Response.json(
          { success: false, error: { code: 'NOT_FOUND', message: '', details: {}, request_id: 'req_1' } },
          { status: 404 },
        )
      : Response.json({ success: true, data: served })
  },
})

// Signs a request, and checks the address of its answer.
const made: Address = await shop.addresses.create({ user_reference: 'user-7', network: 'bitcoin' })
assert.equal(made.address, ADDRESS)
const [request] = requests
assert.equal(request?.url, 'https://pay.example/api/v1/addresses')
const headers = new Headers(request.init.headers)
const message = [
  headers.get('x-timestamp'),
  headers.get('x-nonce'),
  'POST',
  '/api/v1/addresses',
  createHash('sha256').update(String(request.init.body)).digest('hex'),
].join('\n')
assert.equal(headers.get('x-signature'), createHmac('sha256', 'secret').update(message).digest('hex'))

// Refuses an address that the signer does not hold.
served = { ...stored, address: 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4' }
await assert.rejects(shop.addresses.get('adr_1'), ForeignAddressError)
assert.throws(() => checkAddress(served, xpubs), ForeignAddressError)

const missing: unknown = await shop.deposits.get('dep_0').catch((error: unknown) => error)
assert.ok(missing instanceof ApiError && missing.code === 'NOT_FOUND')

// Verifies a webhook.
const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const body = Buffer.from('{"id":"evt_1","event":"deposit.status_changed","data":{"status":"success"}}')
const timestamp = String(Math.floor(Date.now() / 1_000))
const signature = createHmac('sha256', Buffer.alloc(32, 1))
  .update(`evt_1.${timestamp}.${body.toString('utf8')}`)
  .digest('base64')
const received = {
  'webhook-id': 'evt_1',
  'webhook-timestamp': timestamp,
  'webhook-signature': `v1,${signature}`,
}
const event: EventEnvelope = verifyWebhook(received, body, secret)
assert.equal(event.id, 'evt_1')
assert.throws(() => verifyWebhook(received, Buffer.from('{}'), secret), WebhookVerificationError)

// Verifies an export of the audit log.
assert.equal(verifyAuditLog('').valid, true)

// Approves with an own key.
const intent: Intent = {
  version: 1,
  kind: 'withdrawal',
  merchant: 'mer_1',
  withdrawal: 'withdrawal_1',
  signer: 'sig_1',
  external_id: null,
  network: 'eip155:1',
  asset: { coin: 'eth', contract: null, decimals: 18 },
  outputs: [{ address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e', amount: '1' }],
  fee_payer: 'sender',
  fee_limit: { coin: 'eth', amount: '1' },
  initiator: 'per_1',
  created_at: '2024-01-15T12:30:00Z',
  expires_at: '2024-01-16T12:30:00Z',
}
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const decision = signDecision({
  decision: 'approve',
  intentHash: intentHash(intent),
  approverId: 'apr_1',
  privateKey,
})
const { intent_hash, signed_at } = decision
const approved = ['keyturn-approval-v1', intent_hash, 'approve', 'apr_1', signed_at].join('\n')
assert.ok(verify(null, Buffer.from(approved), publicKey, Buffer.from(decision.signature, 'base64')))

/** Answers have types: a status that does not exist is an error of the compiler. */
export function describe(deposit: Deposit, withdrawal: Withdrawal): string {
  // @ts-expect-error There is no such status.
  if (deposit.status === 'paid') return 'never'
  return `${deposit.status} ${withdrawal.status}`
}

console.log('done')
