/** Requests of a hostile tenant: the API refuses or stores each, and none may hurt the service. */

import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { address } from 'bitcoinjs-lib'
import { z } from 'zod'
import { signRequest } from '../../client/sign-request.js'

export interface Credentials {
  readonly api_key: string
  readonly api_secret: string
}

/** An answer of the API, read without trust in its shape. */
export interface HostileAnswer {
  readonly what: string
  /** HTTP status. 0 when the API cut the connection. */
  readonly status: number
  readonly code: string | null
  /** Whether an error has the shape that every error of the API has. */
  readonly shaped: boolean
  /** Id of the resource that the request created. `null` when it created none. */
  readonly id: string | null
}

type Method = 'GET' | 'POST' | 'PUT'

const errorBody = z.object({
  success: z.literal(false),
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.unknown()),
    request_id: z.string(),
  }),
})
const success = z.looseObject({ success: z.literal(true) })
const created = z.object({ success: z.literal(true), data: z.object({ id: z.string() }) })

/** Returns JSON that is nested deeper than a program's stack, or than any sensible document. */
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
const listed = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
/** A Taproot address that no key can spend from: no point of the curve has this x (BIP-340). */
const OFF_CURVE = address.toBech32(Buffer.from('05'.padStart(64, '0'), 'hex'), 1, 'bcrt')
/** Dates of which JavaScript accepts others than PostgreSQL. */
const STRANGE_DATES = [
  '0000-01-01',
  '-271821-04-20T00:00:00.000Z',
  '+275760-09-13T00:00:00.000Z',
  '1969-12-31T23:59:30Z',
  '9999-12-31T23:59:59Z',
  '2024-02-30',
  '2024-01-01T24:00:00Z',
  '1e3',
  'infinity',
  'now',
] as const

/** Sends bytes unchanged, with a signature that fits them. */
export async function sendRaw(
  api: string,
  key: Credentials,
  what: string,
  method: Method,
  path: string,
  body?: string,
  headers?: Readonly<Record<string, string>>,
): Promise<HostileAnswer> {
  const url = new URL(`${api}/api/v1${path}`)
  const signed =
    headers ??
    signRequest({
      apiKey: key.api_key,
      apiSecret: key.api_secret,
      method,
      path: url.pathname + url.search,
      body: Buffer.from(body ?? ''),
    })
  try {
    const response = await fetch(url, {
      method,
      headers: {
        ...signed,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'POST' && !('Idempotency-Key' in signed) ? { 'Idempotency-Key': randomUUID() } : {}),
      },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(60_000),
    })
    const answer: unknown = await response.json().catch(() => null)
    const refused = errorBody.safeParse(answer)
    const made = created.safeParse(answer)
    return {
      what,
      status: response.status,
      code: refused.success ? refused.data.error.code : null,
      shaped: response.ok ? success.safeParse(answer).success : refused.success,
      id: made.success ? made.data.data.id : null,
    }
  } catch (error) {
    if (error instanceof DOMException) throw new Error(`${what}: no answer within a minute`)
    return { what, status: 0, code: null, shaped: true, id: null }
  }
}

/** Sends requests that the API must refuse, or may store without harm. */
export async function* hostileRequests(
  api: string,
  key: Credentials,
  addresses: { readonly user: string; readonly evm: string; readonly wallet: string; readonly token: string },
): AsyncGenerator<HostileAnswer> {
  const send = (what: string, method: Method, path: string, body?: unknown) =>
    sendRaw(
      api,
      key,
      what,
      method,
      path,
      typeof body === 'string' || body === undefined ? body : JSON.stringify(body),
    )
  const withdrawal = {
    network: 'ethereum',
    coin: 'eth',
    amount: '0.001',
    to_address: addresses.evm,
    user_reference: addresses.user,
  }
  const schedule = { label: 'hostile', interval_seconds: 86_400, paused: true, withdrawal }
  const withMetadata = (metadata: string) =>
    `${JSON.stringify(withdrawal).slice(0, -1)},"metadata":{"m":${metadata}}}`

  for (const depth of [33, 2_200, 20_000, 150_000]) {
    yield await send(
      `a schedule nested ${depth} deep`,
      'POST',
      '/withdrawal-schedules',
      `${JSON.stringify({ ...schedule, withdrawal: undefined }).slice(0, -1)},"withdrawal":${withMetadata(nested(depth))}}`,
    )
    yield await send(`a withdrawal nested ${depth} deep`, 'POST', '/withdrawals', withMetadata(nested(depth)))
    yield await send(`a list nested ${depth} deep`, 'POST', '/addresses', listed(depth))
  }
  yield await send('a long text', 'POST', '/withdrawals', withMetadata(`"${'x'.repeat(900_000)}"`))
  yield await send(
    'a body above the limit',
    'POST',
    '/withdrawals',
    withMetadata(`"${'x'.repeat(3_000_000)}"`),
  )
  yield await send(
    'thousands of fields',
    'POST',
    '/withdrawals',
    withMetadata(`{${Array.from({ length: 20_000 }, (_, index) => `"k${index}":${index}`).join(',')}}`),
  )
  for (const odd of [
    '"\\u0000"',
    '"\\ud800"',
    '12345678901234567890',
    '1e400',
    '-0',
    '{"__proto__":{"a":1}}',
  ]) {
    yield await send(`metadata ${odd}`, 'POST', '/withdrawals', withMetadata(odd))
  }
  for (const text of ['', '{', 'null', '[]', '"x"', '\u0000', '{"a":1}{"a":2}']) {
    yield await send(`the body ${JSON.stringify(text)}`, 'POST', '/withdrawals', text)
  }
  for (const date of STRANGE_DATES) {
    const at = encodeURIComponent(date)
    yield await send(`deposits from ${date}`, 'GET', `/deposits?from_date=${at}&to_date=${at}`)
    yield await send(`withdrawals from ${date}`, 'GET', `/withdrawals?from_date=${at}`)
    yield await send(`balances as of ${date}`, 'GET', `/balances?as_of=${at}`)
    yield await send(`a schedule from ${date}`, 'POST', '/withdrawal-schedules', {
      ...schedule,
      start_at: date,
      interval_seconds: 61,
    })
    yield await send(`a schedule up to ${date}`, 'POST', '/withdrawal-schedules', {
      ...schedule,
      end_at: date,
    })
  }
  for (const cron of ['0 0 31 2 *', '0 0 30 2 1', '*/0 * * * *', '@every 1ns', '0 0 1 1 * 1900']) {
    yield await send(`the cron ${cron}`, 'POST', '/withdrawal-schedules', {
      ...schedule,
      interval_seconds: undefined,
      cron,
    })
  }
  // Temporal counts intervals from the epoch, so it refuses an offset before the epoch.
  for (let index = 0; index < 4; index += 1) {
    yield await send('a schedule that Temporal refuses', 'POST', '/withdrawal-schedules', {
      ...schedule,
      label: `refused ${index}`,
      interval_seconds: 61 + index,
      start_at: '1969-12-31T23:59:30Z',
    })
  }
  const amounts = [
    '0',
    '-1',
    '1e-18',
    '0.0000000000000000001',
    '9'.repeat(78),
    `${'9'.repeat(200)}`,
    'NaN',
    '٣',
  ]
  for (const amount of amounts)
    yield await send(`the amount ${amount.slice(0, 30)}`, 'POST', '/withdrawals', { ...withdrawal, amount })
  const destinations = [
    ['bitcoin', 'btc', OFF_CURVE],
    ['ethereum', 'eth', `0x${'0'.repeat(40)}`],
    ['ethereum', 'eth', addresses.wallet],
    ['ethereum', 'eth', addresses.token],
    ['ethereum', 'eth', 'bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqh3cv3s'],
    ['bitcoin', 'btc', 'x'.repeat(5_000)],
  ] as const
  for (const [network, coin, to_address] of destinations) {
    const amount = '0.0001'
    yield await send(`to ${to_address.slice(0, 50)}`, 'POST', '/withdrawals', {
      ...withdrawal,
      network,
      coin,
      amount,
      to_address,
    })
    yield await send(`a batch to ${to_address.slice(0, 50)}`, 'POST', '/withdrawals/batch', {
      batch_withdrawal: { network, coin, outputs: [{ to_address, amount }], priority: 'high' },
      user_reference: addresses.user,
    })
  }
  yield await send('a batch beyond all numbers', 'POST', '/withdrawals/batch', {
    batch_withdrawal: {
      network: 'ethereum',
      coin: 'eth',
      outputs: Array.from({ length: 1_000 }, () => ({ to_address: addresses.evm, amount: '9'.repeat(59) })),
    },
  })
  for (const count of [300, 4_000]) {
    const fields = Array.from({ length: count }, (_, index) => `x${index}=1`).join('&')
    yield await send(`${count} unknown query fields`, 'GET', `/deposits?${fields}`)
  }
  for (const url of [
    'http://127.0.0.1:1/',
    'http://[::1]:9/',
    'http://169.254.169.254/',
    'ftp://x',
    'http://10.0.0.1/',
  ]) {
    yield await send(`an endpoint at ${url}`, 'POST', '/webhook-endpoints', {
      url,
      event_types: ['withdrawal.status_changed'],
    })
  }
}

/**
 * Sends requests that leave no trace and cost time: replays, requests of strangers, uploads that end half
 * way.
 */
export async function* nuisances(api: string, key: Credentials, user: string): AsyncGenerator<HostileAnswer> {
  yield* sendTwice(api, key, user)
  yield* sendAsStrangers(api, user)
  await cutOff(api, key)
}

/** Sends the same bytes of a request thirty times. */
async function* sendTwice(api: string, key: Credentials, user: string): AsyncGenerator<HostileAnswer> {
  const body = JSON.stringify({ user_reference: user, network: 'ethereum' })
  const signed = {
    ...signRequest({
      apiKey: key.api_key,
      apiSecret: key.api_secret,
      method: 'POST',
      path: '/api/v1/addresses',
      body: Buffer.from(body),
    }),
    'Idempotency-Key': randomUUID(),
  }
  for (let index = 0; index < 30; index += 1) {
    yield await sendRaw(api, key, `replayed ${index}`, 'POST', '/addresses', body, signed)
  }
}

/** Sends requests with unknown API keys, and signers' requests without a signer's signature. */
async function* sendAsStrangers(api: string, user: string): AsyncGenerator<HostileAnswer> {
  const body = JSON.stringify({ user_reference: user, network: 'ethereum', label: 'x'.repeat(50_000) })
  for (let index = 0; index < 60; index += 1) {
    const stranger = { api_key: `key_${randomUUID()}`, api_secret: randomUUID() }
    yield await sendRaw(api, stranger, 'an unknown key', 'POST', '/addresses', body)
  }
  for (const path of ['enrol', 'claim', 'answers']) {
    yield await sendRaw(
      api,
      { api_key: '', api_secret: '' },
      `a stranger as signer: ${path}`,
      'POST',
      `/../../signer/v1/${path}`,
      '{"signer_id":"x"}',
      {},
    )
  }
}

/** Begins uploads, and cuts each off half way. */
async function cutOff(api: string, key: Credentials): Promise<void> {
  const { hostname, port } = new URL(api)
  for (let index = 0; index < 10; index += 1) {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.write(
      `POST /api/v1/addresses HTTP/1.1\r\nHost: ${hostname}\r\nX-Api-Key: ${key.api_key}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"user_re`,
    )
    await sleep(20)
    socket.destroy()
  }
}
