/** The cashier over HTTP, as users without scripts, their neighbours and strangers use it. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { purgeCashierSessions } from '../../db/cashier/purge-sessions.js'
import { json as asJson } from '../../db/connect.js'
import { DEFAULT_POLICY } from '../../domain/controls/policy.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'
import { newPerson, sendDecision } from '../stage/people.js'
import { signedHeaders } from '../stage/test-api.js'
import { formFor, hiddenFields, type Page, User } from './user.js'

const FOREIGN = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const ASSET = { network: 'ethereum', coin: 'eth' }

let stage: PaymentStage
beforeAll(async () => {
  stage = await startPaymentStage('ethereum')
})
afterAll(() => stage?.close())

type Fields = Readonly<Record<string, unknown>>

async function session(fields: Fields = {}) {
  const { json, status } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/cashier-sessions',
    body: { user_reference: 'user-1', action: 'deposit', ...fields },
  })
  return { status, json }
}

async function linkFor(fields: Fields = {}): Promise<string> {
  const { json, status } = await session(fields)
  expect(status).toBe(201)
  return json.data.url
}

async function enter(fields: Fields = {}): Promise<{ readonly user: User; readonly page: Page }> {
  const user = new User(stage.api)
  const page = await user.open(new URL(await linkFor(fields)).pathname)
  expect(page.status).toBe(200)
  return { user, page }
}

const audited = async (action: string) =>
  (
    await stage.api.database.sql<{ subject: string; actor: string; data: unknown }[]>`
      SELECT subject, actor, data FROM audit_log WHERE action = ${action} ORDER BY at`
  ).map((row) => ({ ...row }))

async function fund(userReference: string, amount: string): Promise<void> {
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: userReference, network: 'ethereum' },
  })
  stage.send(json.data.address, amount)
  await stage.mine(6)
}

const withdrawalsOf = async (userReference: string) =>
  (await stage.api.call({ path: `/api/v1/withdrawals?user_reference=${userReference}` })).json.data

describe('an old session', () => {
  test('is deleted with its forms a month later, and a younger one is not', async () => {
    const { sql } = stage.api.database
    const { user, page } = await enter({ user_reference: 'ancient' })
    const made = await user.post('/cashier/addresses', formFor(page.html, 'ethereum', 'eth'))
    expect(made.status).toBe(303)
    expect(await sql`SELECT 1 FROM cashier_forms`).toHaveLength(1)
    const old = (await session({ user_reference: 'ancient' })).json.data.id
    await sql`UPDATE cashier_sessions SET created_at = now() - interval '31 days' WHERE user_reference = 'ancient'`
    const young = (await session({ user_reference: 'young' })).json.data.id
    expect(await purgeCashierSessions(sql)).toBe(2)
    const left = await sql<{ id: string }[]>`SELECT id FROM cashier_sessions`
    expect(left.map(({ id }) => id)).toContain(young)
    expect(left.map(({ id }) => id)).not.toContain(old)
    expect(await purgeCashierSessions(sql)).toBe(0)
  })
})

describe('a link', () => {
  test('is made with the time until which it works, once for an idempotency key', async () => {
    const call = {
      method: 'POST',
      path: '/api/v1/cashier-sessions',
      body: { user_reference: 'user-1', action: 'deposit' },
      headers: { 'Idempotency-Key': 'link-1' },
    }
    const before = Date.now()
    const { json, status } = await stage.api.call(call)
    expect(status).toBe(201)
    expect(Object.keys(json.data)).toEqual(['id', 'url', 'expires_at'])
    expect(json.data.url).toMatch(/^https:\/\/pay\.example\.com\/cashier\/enter\/[\w-]{43}$/)
    const life = Date.parse(json.data.expires_at) - before
    expect(life).toBeGreaterThan(55_000)
    expect(life).toBeLessThan(65_000)
    expect((await stage.api.call(call)).json).toEqual(json)
    expect(await audited('cashier_session.created')).toContainEqual({
      subject: json.data.id,
      actor: `api-key:${stage.api.key.id}`,
      data: { user_reference: 'user-1', action: 'deposit', coins: null },
    })
  })

  test.each([
    [{ action: 'both' }, 'VALIDATION_FAILED', 400],
    [{ user_reference: '' }, 'VALIDATION_FAILED', 400],
    [{ language: 'nl' }, 'VALIDATION_FAILED', 400],
    [{ coins: [] }, 'VALIDATION_FAILED', 400],
    [{ return_url: 'http://shop.example/' }, 'VALIDATION_FAILED', 400],
    [{ return_url: 'javascript:alert(1)' }, 'VALIDATION_FAILED', 400],
    [{ amount: '1' }, 'VALIDATION_FAILED', 400],
    [{ coins: [{ network: 'nowhere', coin: 'eth' }] }, 'UNSUPPORTED_NETWORK', 422],
    [{ coins: [{ network: 'ethereum', coin: 'doge' }] }, 'UNSUPPORTED_COIN', 422],
  ])('is refused with %j', async (fields, code, status) => {
    const refused = await session(fields)
    expect([refused.status, refused.json.error.code]).toEqual([status, code])
  })

  test('needs the scope payments, and coins that the merchant has enabled', async () => {
    const key = await stage.api.newKey({ scopes: ['withdrawals', 'read'] })
    const body = { user_reference: 'user-1', action: 'withdrawal' }
    const path = '/api/v1/cashier-sessions'
    expect((await stage.api.call({ method: 'POST', path, body, key })).json.error.code).toBe(
      'INSUFFICIENT_SCOPE',
    )
    const merchantId = await stage.api.newMerchant()
    await stage.api.database
      .sql`DELETE FROM merchant_rails WHERE merchant_id = ${merchantId} AND coin = 'eth'`
    const other = await stage.api.newKey({ merchantId })
    const refused = await stage.api.call({
      method: 'POST',
      path,
      body: { ...body, coins: [ASSET] },
      key: other,
    })
    expect([refused.status, refused.json.error.code]).toEqual([422, 'RAIL_NOT_ENABLED'])
  })

  test('opens the cashier once, by a redirect that sets the cookie of the session', async () => {
    const url = await linkFor()
    const user = new User(stage.api)
    const first = await user.load(new URL(url).pathname)
    expect([first.status, first.headers.get('location')]).toEqual([303, '/cashier'])
    const [cookie] = first.headers.getSetCookie()
    expect(cookie).toMatch(/^keyturn_cashier=csh_\w+\.[\w-]{43};/)
    for (const rule of ['Max-Age=900', 'Path=/cashier', 'HttpOnly', 'Secure', 'SameSite=Strict']) {
      expect(cookie).toContain(`; ${rule}`)
    }
    expect(first.headers.get('cache-control')).toBe('no-store')
    const again = await new User(stage.api).load(new URL(url).pathname)
    expect(again.status).toBe(410)
    expect(again.headers.getSetCookie()).toEqual([])
    const id = (await audited('cashier_session.opened')).at(-1)?.subject
    expect(await audited('cashier_session.reused')).toContainEqual({
      subject: id,
      actor: 'system:cashier',
      data: { reason: 'used' },
    })
    // The first user goes on.
    expect((await user.load('/cashier')).status).toBe(200)
  })

  test('has a cookie without Secure only where the public URL is plain http', async () => {
    const { url } = (await session()).json.data
    const { app, dependencies } = stage.api
    const { createApp } = await import('../../api/create-app.js')
    const plain = createApp({
      ...dependencies,
      environment: { ...dependencies.environment, KEYTURN_PUBLIC_URL: 'http://127.0.0.1:3000' },
    })
    expect(plain).not.toBe(app)
    const answer = await plain.request(new URL(url).pathname)
    expect(answer.headers.get('set-cookie')).toContain('SameSite=Strict')
    expect(answer.headers.get('set-cookie')).not.toContain('Secure')
  })

  test('has the public address of the platform, whichever host the merchant has called', async () => {
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/cashier-sessions',
      body: { user_reference: 'user-1', action: 'deposit' },
      headers: { Host: 'evil.example', 'X-Forwarded-Host': 'evil.example' },
    })
    expect(json.data.url).toMatch(/^https:\/\/pay\.example\.com\/cashier\/enter\//)
  })

  test('leads back to http on loopback only where the platform allows it', async () => {
    const return_url = 'http://127.0.0.1:5173/done?a=%20#x'
    const { app, dependencies, key } = stage.api
    const { createApp } = await import('../../api/create-app.js')
    const environment = { ...dependencies.environment, KEYTURN_WEBHOOK_ALLOW_HTTP: true }
    const body = JSON.stringify({ user_reference: 'user-1', action: 'deposit', return_url })
    const path = '/api/v1/cashier-sessions'
    const send = (to: typeof app) =>
      to.request(
        `http://api.test${path}`,
        {
          method: 'POST',
          headers: {
            ...signedHeaders(key, { method: 'POST', path, body }),
            'Content-Type': 'application/json',
          },
          body,
        },
        { incoming: { url: path, socket: { remoteAddress: '127.0.0.1' } } },
      )
    expect((await send(app)).status).toBe(400)
    const made = await send(createApp({ ...dependencies, environment }))
    expect(made.status).toBe(201)
    const { data } = (await made.json()) as { data: { url: string } }
    const page = await new User(stage.api).open(new URL(data.url).pathname)
    expect(page.html).toContain(`href="${return_url}"`)
  })

  test('is not used up by HEAD', async () => {
    const path = new URL(await linkFor()).pathname
    const user = new User(stage.api)
    const head = await user.load(path, { method: 'HEAD' })
    expect([head.status, head.headers.getSetCookie()]).toEqual([303, []])
    expect((await user.load(path)).status).toBe(303)
    const before = (await audited('cashier_session.reused')).length
    expect((await user.load(path, { method: 'HEAD' })).status).toBe(410)
    expect(await audited('cashier_session.reused')).toHaveLength(before)
  })

  test('begins one session when it is opened by several at the same time', async () => {
    const path = new URL(await linkFor()).pathname
    const answers = await Promise.all([1, 2, 3, 4].map(() => new User(stage.api).load(path)))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 410, 410, 410])
  })

  test('is 410 once its minute is over, and 404 if there never was such a link', async () => {
    const { json } = await session()
    await stage.api.database.sql`
      UPDATE cashier_sessions SET token_expires_at = clock_timestamp() WHERE id = ${json.data.id}`
    const user = new User(stage.api)
    expect((await user.load(new URL(json.data.url).pathname)).status).toBe(410)
    expect(await audited('cashier_session.reused')).toContainEqual({
      subject: json.data.id,
      actor: 'system:cashier',
      data: { reason: 'expired' },
    })
    expect((await user.load(`/cashier/enter/${'A'.repeat(43)}`)).status).toBe(404)
    expect((await user.load('/cashier/enter/x')).status).toBe(404)
  })

  test('leaves neither its token nor the secret of its session in the database', async () => {
    const url = await linkFor()
    const user = new User(stage.api)
    await user.open(new URL(url).pathname)
    const secret = user.cookies.get('keyturn_cashier')?.split('.')[1] ?? ''
    expect(secret).toHaveLength(43)
    const { sql } = stage.api.database
    for (const table of ['cashier_sessions', 'cashier_forms', 'audit_log', 'events', 'idempotency_keys']) {
      const rows = await sql`SELECT * FROM ${sql(table)}`
      const text = JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? `${value}` : value))
      expect(text).not.toContain(url.split('/').at(-1))
      expect(text).not.toContain(secret)
    }
  })
})

describe('a session', () => {
  test('is required by every page and form', async () => {
    const user = new User(stage.api)
    const headers = { 'Sec-Fetch-Site': 'same-origin' }
    for (const path of [
      '/cashier',
      '/cashier/withdrawals',
      `/cashier/withdrawals/withdrawal_${'0'.repeat(32)}`,
    ]) {
      expect((await user.load(path, { headers })).status).toBe(401)
    }
    for (const path of ['/cashier/addresses', '/cashier/withdrawals', '/cashier/withdrawals/check']) {
      expect((await user.post(path, ASSET)).status).toBe(401)
    }
    user.cookies.set('keyturn_cashier', `csh_${'0'.repeat(32)}.${'A'.repeat(43)}`)
    expect((await user.load('/cashier', { headers })).status).toBe(401)
  })

  test('is not found by its id with another secret', async () => {
    const { user } = await enter()
    const [id] = (user.cookies.get('keyturn_cashier') ?? '').split('.')
    user.cookies.set('keyturn_cashier', `${id}.${'A'.repeat(43)}`)
    expect((await user.load('/cashier')).status).toBe(401)
  })

  test('ends after its time, and when the key that made its link is revoked', async () => {
    const { user } = await enter({ user_reference: 'timely' })
    const { sql } = stage.api.database
    await sql`UPDATE cashier_sessions SET expires_at = clock_timestamp() WHERE user_reference = 'timely'`
    expect((await user.load('/cashier')).status).toBe(401)
    const key = await stage.api.newKey()
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/cashier-sessions',
      body: { user_reference: 'user-1', action: 'deposit' },
      key,
    })
    const second = new User(stage.api)
    expect((await second.open(new URL(json.data.url).pathname)).status).toBe(200)
    await sql`UPDATE api_keys SET revoked_at = now() WHERE id = ${key.id}`
    expect((await second.load('/cashier')).status).toBe(401)
  })

  test('shows a page that loads itself again when a link of another site leads to it, once', async () => {
    const user = new User(stage.api)
    const first = await user.load('/cashier', { headers: { 'Sec-Fetch-Site': 'cross-site' } })
    expect(first.status).toBe(401)
    expect(first.html).toContain('<meta http-equiv="refresh" content="0; url=/cashier?again">')
    const second = await user.load('/cashier?again', { headers: { 'Sec-Fetch-Site': 'same-origin' } })
    expect(second.status).toBe(401)
    expect(second.html).not.toContain('http-equiv="refresh"')
  })

  test('has strict headers, and a policy that keeps the origin of its forms', async () => {
    const { page } = await enter()
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none';/)
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe')
    expect(page.headers.get('referrer-policy')).toBe('same-origin')
    expect(page.headers.get('cache-control')).toBe('no-store')
    expect(page.html).not.toMatch(/<script(?![^>]*src=)|style=|\son\w+=/)
  })

  test('speaks the language of the merchant, until the user chooses another, and links back to the shop', async () => {
    const { user, page } = await enter({ language: 'ar', return_url: 'https://shop.example/done?a=1&b=2' })
    expect(page.html).toContain('<html lang="ar" dir="rtl">')
    expect(page.html).toContain('href="https://shop.example/done?a=1&amp;b=2"')
    expect((await user.load('/cashier?lang=de')).html).toContain('<html lang="de"')
    expect((await user.load('/cashier')).html).toContain('<html lang="de"')
  })

  test('does nothing for a form of another site, without a token, or with the token of another session', async () => {
    const { user, page } = await enter({ user_reference: 'careful' })
    const fields = formFor(page.html, 'ethereum')
    const path = '/cashier/addresses'
    const refused = [
      await user.post(path, fields, { origin: 'https://evil.example' }),
      await user.post(path, fields, { origin: 'null' }),
      await user.post(path, fields, { origin: null }),
      await user.post(path, { ...fields, token: '' }),
      await user.post(path, {
        ...fields,
        token: `${fields.token?.startsWith('x') ? 'y' : 'x'}${fields.token?.slice(1)}`,
      }),
      await user.post(path, { ...fields, token: formFor((await enter()).page.html, 'bitcoin').token ?? '' }),
    ]
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 403])
    const { json } = await stage.api.call({ path: '/api/v1/addresses?user_reference=careful' })
    expect(json.data).toEqual([])
  })

  test('withdraws nothing for a form of another site, without a token, or with a strange token', async () => {
    await fund('wary', '1')
    const { user, page } = await enter({ user_reference: 'wary', action: 'withdrawal' })
    const other = await enter({ user_reference: 'wary', action: 'withdrawal' })
    const { token: own = '', ...hidden } = formFor(page.html, 'ethereum', 'eth')
    const fields = { ...hidden, token: own, amount: '0.25', to_address: FOREIGN }
    for (const path of ['/cashier/withdrawals', '/cashier/withdrawals/check']) {
      for (const origin of ['https://evil.example', 'https://pay.example.com.evil.example', 'null', null]) {
        expect((await user.post(path, fields, { origin })).status).toBe(403)
      }
      const strange = formFor(other.page.html, 'ethereum', 'eth').token ?? ''
      for (const token of ['', 'x', `${own.slice(0, 22)}.${'A'.repeat(43)}`, strange]) {
        expect((await user.post(path, { ...fields, token })).status).toBe(403)
      }
    }
    expect(await withdrawalsOf('wary')).toEqual([])
    expect((await user.post('/cashier/withdrawals', fields)).status).toBe(303)
    expect(await withdrawalsOf('wary')).toHaveLength(1)
  })

  test('refuses bodies that are no forms or are too large, and methods that a page has not', async () => {
    const { user, page } = await enter()
    const fields = formFor(page.html, 'ethereum')
    const headers = { 'Content-Type': 'application/json' }
    expect((await user.post('/cashier/addresses', fields, { headers })).status).toBe(415)
    expect((await user.post('/cashier/addresses', { ...fields, x: 'y'.repeat(20_000) })).status).toBe(413)
    for (const [path, allowed] of [
      ['/cashier', 'GET, HEAD'],
      ['/cashier/addresses', 'GET, HEAD, POST'],
      ['/cashier/withdrawals', 'GET, HEAD, POST'],
      ['/cashier/withdrawals/check', 'GET, HEAD, POST'],
      [`/cashier/withdrawals/withdrawal_${'0'.repeat(32)}`, 'GET, HEAD'],
    ] as const) {
      const refused = await user.load(path, { method: 'DELETE' })
      expect([path, refused.status, refused.headers.get('allow')]).toEqual([path, 405, allowed])
    }
    expect((await user.load('/cashier/nothing')).status).toBe(404)
  })

  test('may send so many forms a minute', async () => {
    const { user } = await enter({ user_reference: 'impatient' })
    const statuses: number[] = []
    const send = async () => statuses.push((await user.post('/cashier/addresses', {})).status)
    for (let count = 0; count < 30; count++) await send()
    expect(statuses.every((status) => status === 403)).toBe(true)
    // One form more is allowed each two seconds, so that a slow machine sends more than one that is refused.
    while (statuses.at(-1) === 403 && statuses.length < 200) await send()
    expect(statuses.at(-1)).toBe(429)
  })
})

describe('a deposit', () => {
  const addressesOf = async (userReference: string) =>
    (await stage.api.call({ path: `/api/v1/addresses?user_reference=${userReference}` })).json.data.map(
      ({ address }: { address: string }) => address,
    )
  const shows = ({ html }: Page, address: string) => html.includes(`data-copy="${address}"`)

  test('makes no address by looking, and one by asking, however often the form is sent', async () => {
    const { user, page } = await enter({ user_reference: 'new-user' })
    await user.load('/cashier')
    expect(await addressesOf('new-user')).toEqual([])
    const fields = formFor(page.html, 'ethereum')
    const answers = await Promise.all([1, 2, 3].map(() => user.post('/cashier/addresses', fields)))
    expect(answers.map(({ status }) => status)).toEqual([303, 303, 303])
    const [address, ...others] = await addressesOf('new-user')
    expect(others).toEqual([])
    const shown = await user.open(answers[0]?.headers.get('location') ?? '')
    expect(shows(shown, address)).toBe(true)
    expect(shown.html).toContain('role="img"')
  })

  test('shows the existing address first, and makes another one only when the user asks', async () => {
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/addresses',
      body: { user_reference: 'regular', network: 'ethereum' },
    })
    const { user, page } = await enter({ user_reference: 'regular', coins: [ASSET] })
    expect(shows(page, json.data.address)).toBe(true)
    const fields = formFor(page.html, 'ethereum')
    const { new: _, ...plain } = fields
    await user.post('/cashier/addresses', plain)
    expect(await addressesOf('regular')).toHaveLength(1)
    const next = formFor((await user.load('/cashier')).html, 'ethereum')
    await user.post('/cashier/addresses', next)
    await user.post('/cashier/addresses', next)
    const [newest, oldest, ...rest] = await addressesOf('regular')
    expect([oldest, rest]).toEqual([json.data.address, []])
    const shown = await user.load('/cashier')
    expect(shows(shown, newest)).toBe(true)
    expect(shown.html.replaceAll(/<[^>]+>/g, '')).toContain(oldest)
  })

  test('leaves out addresses of payments, of other users and of other merchants', async () => {
    const payment = await stage.open({ user_reference: 'payer', amount: '1' })
    const { user, page } = await enter({ user_reference: 'payer' })
    expect(page.html.replaceAll(/<[^>]+>/g, '')).not.toContain(payment.address)
    const neighbour = await enter({ user_reference: 'neighbour' })
    await neighbour.user.post('/cashier/addresses', formFor(neighbour.page.html, 'ethereum'))
    const merchantId = await stage.api.newMerchant()
    await stage.api.enrol(merchantId, Buffer.alloc(32, 7))
    const key = await stage.api.newKey({ merchantId })
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/cashier-sessions',
      body: { user_reference: 'payer', action: 'deposit' },
      key,
    })
    const namesake = new User(stage.api)
    const theirs = await namesake.open(new URL(json.data.url).pathname)
    await namesake.post('/cashier/addresses', formFor(theirs.html, 'ethereum'))
    await user.post('/cashier/addresses', formFor(page.html, 'ethereum'))
    const copied = async (each: User) =>
      [...(await each.load('/cashier')).html.matchAll(/data-copy="(0x\w+)"/g)].map(([, address]) => address)
    const [mine, beside, elsewhere] = [
      new Set(await copied(user)),
      new Set(await copied(neighbour.user)),
      new Set(await copied(namesake)),
    ]
    expect([mine.size, beside.size, elsewhere.size]).toEqual([1, 1, 1])
    expect(new Set([...mine, ...beside, ...elsewhere]).size).toBe(3)
  })

  test('offers the coins of the session alone', async () => {
    const { user, page } = await enter({ user_reference: 'choosy', coins: [ASSET] })
    expect(hiddenFields(page.html).map(({ network }) => network)).toEqual(['ethereum'])
    const fields = { ...formFor(page.html, 'ethereum'), network: 'bitcoin' }
    expect((await user.post('/cashier/addresses', fields)).status).toBe(422)
    expect(await addressesOf('choosy')).toEqual([])
  })
})

describe('a withdrawal', () => {
  const path = '/cashier/withdrawals'
  const wanted = { amount: '0.25', to_address: FOREIGN }

  test('is checked first, then requested once with the fee that was shown', async () => {
    await fund('saver', '2')
    const { user, page } = await enter({ user_reference: 'saver', action: 'withdrawal', coins: [ASSET] })
    expect(page.html).toContain('2 ETH')
    const checked = await user.post(`${path}/check`, { ...formFor(page.html, 'ethereum', 'eth'), ...wanted })
    expect(checked.status).toBe(200)
    expect(await withdrawalsOf('saver')).toEqual([])
    const confirm = formFor(checked.html, 'ethereum', 'eth')
    expect(confirm).toMatchObject({ network: 'ethereum', coin: 'eth', ...wanted })
    const answers = await Promise.all([1, 2, 3].map(() => user.post(path, confirm)))
    expect(answers.map(({ status }) => status)).toEqual([303, 303, 303])
    const made = await withdrawalsOf('saver')
    expect(made).toMatchObject([
      {
        amount: '0.25',
        to_address: FOREIGN,
        user_reference: 'saver',
        network: 'ethereum',
        coin: 'eth',
        fee_payer: 'sender',
        required_approvals: 2,
      },
    ])
    expect(checked.html).toContain(`${made[0].fee} ETH`)
    expect(new Set(answers.map(({ headers }) => headers.get('location')))).toEqual(
      new Set([`${path}/${made[0].id}`]),
    )
    const status = await user.load(`${path}/${made[0].id}`)
    expect(status.html).toContain(made[0].id)
    expect(status.html).toContain('<noscript><meta http-equiv="refresh"')
    expect((await user.load('/cashier')).html).toContain(`href="${path}/${made[0].id}"`)
    // The same form with another amount is not taken for the first one.
    expect((await user.post(path, { ...confirm, amount: '0.5' })).status).toBe(409)
    expect(await withdrawalsOf('saver')).toHaveLength(1)
  })

  test('goes at once where the form is sent without the check, under the same controls', async () => {
    await fund('direct', '1')
    const { user, page } = await enter({ user_reference: 'direct', action: 'withdrawal' })
    const fields = { ...formFor(page.html, 'ethereum', 'eth'), ...wanted, user_reference: 'saver' }
    expect((await user.post(path, fields)).status).toBe(303)
    expect(await withdrawalsOf('direct')).toMatchObject([{ user_reference: 'direct', stage: 'requested' }])
  })

  test('takes the fee out of the amount when the user asks, so that a balance can be emptied', async () => {
    await fund('leaver', '1')
    const { user, page } = await enter({ user_reference: 'leaver', action: 'withdrawal', coins: [ASSET] })
    const fields = { ...formFor(page.html, 'ethereum', 'eth'), amount: '1', to_address: FOREIGN }
    const refused = await user.post(`${path}/check`, fields)
    expect(refused.status).toBe(422)
    expect(refused.html).toMatch(/data-error="amount">You have 1 ETH\./)
    const checked = await user.post(`${path}/check`, {
      ...fields,
      token: formFor(refused.html, 'ethereum').token ?? '',
      deduct: 'true',
    })
    expect(checked.status).toBe(200)
    expect(formFor(checked.html, 'ethereum')).toMatchObject({ deduct: 'true' })
    expect((await user.post(path, formFor(checked.html, 'ethereum'))).status).toBe(303)
    expect(await withdrawalsOf('leaver')).toMatchObject([{ fee_payer: 'recipient', amount: '1' }])
  })

  test('comes back with the error beside the field and with what was typed', async () => {
    await fund('clumsy', '1')
    const { user, page } = await enter({ user_reference: 'clumsy', action: 'withdrawal' })
    const own = (await stage.api.call({ path: '/api/v1/wallets' })).json.data[0]?.address
    const cases: [string, Record<string, string>, RegExp][] = [
      ['amount', { amount: '0,5' }, /no amount/],
      ['amount', { amount: '-1' }, /no amount/],
      ['amount', { amount: '0' }, /no amount/],
      ['amount', { amount: '0.0000000000000000001' }, /at most 18/i],
      ['amount', { amount: '5' }, /You have 1 ETH/],
      ['to_address', { to_address: FOREIGN.replace('Cc', 'cC') }, /cannot be paid on Ethereum/],
      [
        'to_address',
        { to_address: 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4' },
        /cannot be paid on Ethereum/,
      ],
      ['to_address', { to_address: '"><script>alert(1)</script>' }, /cannot be paid/],
      ...(own
        ? [['to_address', { to_address: own }, /cannot be paid/] as [string, Record<string, string>, RegExp]]
        : []),
    ]
    for (const [field, change, text] of cases) {
      const form = formFor(page.html, 'ethereum', 'eth')
      for (const target of [path, `${path}/check`]) {
        const typed: Record<string, string> = { ...form, ...wanted, ...change }
        const refused = await user.post(target, typed)
        expect([refused.status, change]).toEqual([422, change])
        const said = new RegExp(`data-error="${field}">([^<]*)<`, 'g')
        expect([...refused.html.matchAll(said)].map(([, each]) => each).join('')).toMatch(text)
        expect(refused.html).not.toContain('<script>alert')
        const inQuotes = (value = '') =>
          value.replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
        expect(refused.html).toContain(`value="${inQuotes(typed.amount)}"`)
        expect(refused.html).toContain(`value="${inQuotes(typed.to_address)}"`)
        expect(refused.html).toContain('aria-invalid="true"')
      }
    }
    expect(await withdrawalsOf('clumsy')).toEqual([])
    // A check leaves nothing behind.
    const { json } = await stage.api.call({
      path: '/api/v1/balances?user_reference=clumsy&network=ethereum&coin=eth',
    })
    expect(json.data).toMatchObject([{ available: '1', reserved: '0' }])
  })

  test('keeps what was typed, and what is wrong in it, when the user chooses another language', async () => {
    await fund('polyglot', '1')
    const { user, page } = await enter({ user_reference: 'polyglot', action: 'withdrawal' })
    const typed = { ...wanted, amount: '5', deduct: 'true' }
    const refused = await user.post(`${path}/check`, { ...formFor(page.html, 'ethereum', 'eth'), ...typed })
    const button =
      /<button form="typed" formaction="([^"]*)" formnovalidate name="edit" value="true" lang="de"/
    const [, target = ''] = button.exec(refused.html) ?? []
    expect(target).toBe(`${path}/check?lang=de`)
    const german = await user.post(target, {
      ...formFor(refused.html, 'ethereum', 'eth'),
      ...typed,
      edit: 'true',
    })
    expect(german.status).toBe(422)
    expect(german.html).toContain('<html lang="de"')
    expect(german.html).toMatch(/data-error="amount">Sie haben 1 ETH/)
    for (const value of ['value="5"', `value="${FOREIGN}"`, 'value="true" checked']) {
      expect(german.html).toContain(value)
    }
    // Once nothing is wrong in it, the form is still the form.
    const correct = { ...formFor(german.html, 'ethereum', 'eth'), ...typed, amount: '0.5' }
    const spanish = await user.post(`${path}/check?lang=es`, { ...correct, edit: 'true' })
    expect([spanish.status, spanish.html.includes('role="alert"')]).toEqual([200, false])
    expect(spanish.html).toContain('value="0.5"')
    expect(spanish.html).not.toContain('data-arrives')
    const confirm = await user.post(`${path}/check`, correct)
    expect(confirm.html).toContain(
      `<button form="typed" formaction="${path}/check?lang=ar" formnovalidate lang="ar"`,
    )
    const arabic = await user.post(`${path}/check?lang=ar`, formFor(confirm.html, 'ethereum', 'eth'))
    expect(arabic.status).toBe(200)
    expect(arabic.html).toContain('<html lang="ar" dir="rtl">')
    expect(arabic.html).toContain('data-arrives')
    const { token: _, ...shown } = formFor(arabic.html, 'ethereum', 'eth')
    expect(shown).toEqual({ ...ASSET, amount: '0.5', to_address: FOREIGN, deduct: 'true' })
    expect(await withdrawalsOf('polyglot')).toEqual([])
    expect((await user.post(path, formFor(arabic.html, 'ethereum', 'eth'))).status).toBe(303)
    expect(await withdrawalsOf('polyglot')).toMatchObject([{ amount: '0.5', fee_payer: 'recipient' }])
  })

  test('is out of reach of a session for a deposit, whichever page or form it tries', async () => {
    await fund('strict', '1')
    const withdrawing = await enter({ user_reference: 'strict', action: 'withdrawal' })
    const fields = { ...formFor(withdrawing.page.html, 'ethereum', 'eth'), ...wanted }
    const own = (await withdrawing.user.post(path, fields)).headers.get('location') ?? ''
    expect((await withdrawing.user.load(own)).status).toBe(200)
    const { user, page } = await enter({ user_reference: 'strict' })
    const { token = '' } = formFor(page.html, 'ethereum')
    const sent = { ...ASSET, ...wanted, token, action: 'withdrawal' }
    for (const target of [path, `${path}?action=withdrawal`, `${path}/check`]) {
      for (const besides of [{}, { edit: 'true' }]) {
        const refused = await user.post(target, { ...sent, ...besides })
        expect([refused.status, refused.html.includes('0.25')]).toEqual([403, false])
      }
      const answer = await user.load(target)
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/cashier'])
    }
    for (const target of [own, `${own}?action=withdrawal`]) {
      for (const method of ['GET', 'HEAD']) expect((await user.load(target, { method })).status).toBe(404)
      expect((await user.post(target, sent)).status).toBe(405)
    }
    const overview = await user.load('/cashier?action=withdrawal')
    expect(overview.html).not.toContain('withdrawal_')
    expect(overview.html).not.toContain('/cashier/withdrawals')
    expect(await withdrawalsOf('strict')).toHaveLength(1)
    // The secret of a session for a withdrawal does not help a form of one for a deposit, and the reverse.
    expect((await user.post(path, { ...sent, ...fields })).status).toBe(403)
    expect((await withdrawing.user.post(path, sent)).status).toBe(403)
    expect(await withdrawalsOf('strict')).toHaveLength(1)
  })

  test('makes no address in a session for a withdrawal', async () => {
    const { user, page } = await enter({ user_reference: 'strict-too', action: 'withdrawal' })
    const refused = await user.post('/cashier/addresses', formFor(page.html, 'ethereum'))
    expect(refused.status).toBe(403)
    const { json } = await stage.api.call({ path: '/api/v1/addresses?user_reference=strict-too' })
    expect(json.data).toEqual([])
  })

  test('shows nothing of another user or of another merchant', async () => {
    await fund('rich', '3')
    const rich = await enter({ user_reference: 'rich', action: 'withdrawal' })
    const answer = await rich.user.post(path, { ...formFor(rich.page.html, 'ethereum', 'eth'), ...wanted })
    const location = answer.headers.get('location') ?? ''
    const poor = await enter({ user_reference: 'poor', action: 'withdrawal' })
    expect(poor.page.html).not.toContain('withdrawal_')
    expect((await poor.user.load(location)).status).toBe(404)
    const merchantId = await stage.api.newMerchant()
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/cashier-sessions',
      body: { user_reference: 'rich', action: 'withdrawal' },
      key: await stage.api.newKey({ merchantId }),
    })
    const namesake = new User(stage.api)
    const page = await namesake.open(new URL(json.data.url).pathname)
    expect(page.html).not.toMatch(/withdrawal_|[1-9]\d* ETH|\d\.\d+ ETH/)
    expect((await namesake.load(location)).status).toBe(404)
    expect((await rich.user.load(location)).status).toBe(200)
  })

  test('names who made the link as its initiator, who may not approve it', async () => {
    await fund('guarded', '1')
    const { user, page } = await enter({ user_reference: 'guarded', action: 'withdrawal' })
    await user.post(path, { ...formFor(page.html, 'ethereum', 'eth'), ...wanted })
    const [made] = await withdrawalsOf('guarded')
    const { json } = await stage.api.call({ path: `/api/v1/withdrawals/${made.id}/intent` })
    expect(json.data.intent.initiator).toBe(stage.api.key.id)
    expect(made.metadata).toMatchObject({ cashier_session: expect.stringMatching(/^csh_/) })
    expect(await audited('withdrawal.requested')).toContainEqual(
      expect.objectContaining({
        subject: made.id,
        actor: `cashier-session:${made.metadata.cashier_session}`,
      }),
    )
  })

  test('is not approved by the person who made the link', async () => {
    await fund('insider', '1')
    const [maker, other] = [await newPerson(stage.api, 'Maker'), await newPerson(stage.api, 'Other')]
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/cashier-sessions',
      body: { user_reference: 'insider', action: 'withdrawal' },
      key: maker.key,
    })
    const user = new User(stage.api)
    const page = await user.open(new URL(json.data.url).pathname)
    await user.post(path, { ...formFor(page.html, 'ethereum', 'eth'), ...wanted })
    const [made] = await withdrawalsOf('insider')
    await stage.api.database.sql`UPDATE payouts SET stage = 'pending_approval' WHERE id = ${made.id}`
    const subject = `/api/v1/withdrawals/${made.id}`
    const refused = await sendDecision(stage.api, subject, maker, 'approve')
    expect([refused.status, refused.json.error?.code]).toEqual([403, 'INITIATOR_CANNOT_APPROVE'])
    expect((await sendDecision(stage.api, subject, other, 'approve')).status).toBe(201)
  })

  test('is bound by dust, the limits and the whitelist of the merchant, whose figures stay hidden', async () => {
    await fund('bounded', '3')
    const bitcoin = { amount: '0.00000001', to_address: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080' }
    const { user, page } = await enter({ user_reference: 'bounded', action: 'withdrawal' })
    const dust = await user.post(path, { ...formFor(page.html, 'bitcoin', 'btc'), ...bitcoin })
    expect(dust.html).toMatch(/data-error="amount">This is too little\. The least is 0\.00000546 BTC/)
    const { sql } = stage.api.database
    const setPolicy = (version: number, change: object) => sql`
      INSERT INTO policies (merchant_id, version, policy, effective_at)
      VALUES (${stage.api.merchantId}, ${version}, ${asJson(sql, { ...DEFAULT_POLICY, ...change })}, now())`
    await setPolicy(1, { limits: { merchant: [{ ...ASSET, daily: '2.5', monthly: null }], user: [] } })
    const fields = { ...formFor(page.html, 'ethereum', 'eth'), ...wanted, amount: '2.75' }
    const limited = await user.post(`${path}/check`, fields)
    expect(limited.html).toMatch(/data-error="amount">This is more than can be withdrawn now/)
    // The tags hold tokens and times, which may hold these digits by chance.
    expect(limited.html.replaceAll(/<[^>]*>/g, ' ')).not.toContain('2.5')
    await setPolicy(2, { whitelist: { mode: 'required' } })
    const listed = await user.post(`${path}/check`, { ...fields, amount: '0.5' })
    expect(listed.html).toMatch(/data-error="to_address">Withdrawals to this address are not allowed/)
    await setPolicy(3, {})
    expect((await user.post(`${path}/check`, { ...fields, amount: '0.5' })).status).toBe(200)
  })

  test('of a token says that its fee is not the user’s, and cannot take it out of the amount', async () => {
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/addresses',
      body: { user_reference: 'dollar', network: 'ethereum' },
    })
    stage.send(json.data.address, '100', 'usdt')
    await stage.mine(6)
    await fund('someone', '2')
    const { user, page } = await enter({ user_reference: 'dollar', action: 'withdrawal' })
    const fields = { ...formFor(page.html, 'ethereum', 'usdt'), amount: '40', to_address: FOREIGN }
    const checked = await user.post(`${path}/check`, fields)
    expect(checked.status).toBe(200)
    expect(checked.html).toContain('none for you')
    const refused = await user.post(`${path}/check`, { ...fields, deduct: 'true' })
    expect([refused.status, refused.html]).toEqual([
      422,
      expect.stringMatching(/data-error="deduct">The fee of this coin cannot be taken out/),
    ])
    expect((await user.post(path, formFor(checked.html, 'ethereum', 'usdt'))).status).toBe(303)
    expect(await withdrawalsOf('dollar')).toMatchObject([{ coin: 'usdt', amount: '40', fee_coin: 'eth' }])
  })
})
