/** The checkout page over HTTP: each screen, its headers, languages and refusals. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LANGUAGES } from '../../../api/pages/language.js'
import { qrSvg } from '../../../api/pages/qr-svg.js'
import { type PaymentStage, startPaymentStage } from '../../stage/payments.js'

let stage: PaymentStage
let eth: PaymentStage
beforeAll(async () => {
  ;[stage, eth] = await Promise.all([startPaymentStage('bitcoin'), startPaymentStage('ethereum')])
})
afterAll(async () => {
  await stage?.close()
  await eth?.close()
})

const pathOf = (url: string) => new URL(url).pathname

async function open(
  url: string,
  {
    on = stage,
    method = 'GET',
    query = '',
    ip = '192.0.2.1',
    ...headers
  }: Record<string, unknown> & { on?: PaymentStage } = {},
) {
  const response = await on.api.app.request(
    `http://api.test${pathOf(url)}${query}`,
    { method: String(method), headers: headers as Record<string, string> },
    { incoming: { socket: { remoteAddress: String(ip) } } },
  )
  const html = await response.text()
  return { status: response.status, headers: response.headers, html, text: textOf(html) }
}

/** Returns the text of a page as a reader sees it. */
function textOf(html: string): string {
  return html
    .replace(/<(title|svg|noscript)[\s\S]*?<\/\1>/g, ' ')
    .replace(/<\/?(?:bdi|span|strong|time)[^>]*>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
}

const screenOf = (html: string) => /class="screen-(\w+)"/.exec(html)?.[1]
const uriIn = (html: string) =>
  /href="((?:bitcoin|ethereum):[^"]*)"/.exec(html)?.[1]?.replaceAll('&amp;', '&')

describe('screens', () => {
  test('shows a pending payment with amount, coin, network, address, QR code and order', async () => {
    const made = await stage.open({
      order_id: 'order 7',
      metadata: { secret: 'cart-99' },
      user_reference: 'user-of-page',
    })
    const page = await open(made.checkout_url)
    expect(page.status).toBe(200)
    expect(screenOf(page.html)).toBe('pending')
    expect(page.text).toContain('Pay 1 BTC')
    expect(page.text).toContain('Send only BTC on the Bitcoin network')
    expect(page.text).toContain('Scan the code with your wallet, or copy')
    expect(page.text).toContain(made.address)
    expect(page.text).toContain('order 7')
    expect(page.text).toContain(made.payment_id)
    expect(page.text).toMatch(/Time left: 60 minutes \(until .* UTC\)/)
    expect(page.html).toContain('<svg class="qr"')
    expect(uriIn(page.html)).toBe(made.payment_uri)
    for (const hidden of ['cart-99', 'user-of-page', stage.api.merchantId])
      expect(page.html).not.toContain(hidden)
  })

  test('shows the rest of a part payment, with its URI', async () => {
    for (const on of [stage, eth]) {
      const { address, checkout_url, payment_uri } = await on.open()
      on.send(address, '0.4')
      await on.mine(1)
      const page = await open(checkout_url, { on })
      expect(screenOf(page.html)).toBe('partial')
      expect(page.text).toContain(`Pay the remaining 0.6 ${on.coin.toUpperCase()}`)
      expect(page.text).toContain(`0.4 ${on.coin.toUpperCase()} of 1 ${on.coin.toUpperCase()} has arrived`)
      expect(uriIn(page.html)).toBe(
        payment_uri
          .replace('amount=1', 'amount=0.6')
          .replace('value=1000000000000000000', 'value=600000000000000000'),
      )
    }
  })

  test('draws the code of what is still due, and no other one', async () => {
    const { address, checkout_url, payment_uri } = await stage.open()
    const codeOf = (html: string) => /<svg class="qr"[\s\S]*?<\/svg>/g.exec(html)?.[0]
    const drawn = (uri: string) => qrSvg(uri, 'QR code of this payment, for a wallet').text
    expect(codeOf((await open(checkout_url)).html)).toBe(drawn(payment_uri))
    stage.send(address, '0.4')
    await stage.mine(1)
    const { html } = await open(checkout_url)
    expect(codeOf(html)).toBe(drawn(payment_uri.replace('amount=1', 'amount=0.6')))
    expect(html.match(/<svg/g)).toHaveLength(1)
  })

  test('changes nothing of a payment or of the audit log, however it is asked', async () => {
    const { sql } = stage.api.database
    const { checkout_url } = await stage.open()
    const snapshot = async () => [
      ...(await sql`SELECT * FROM payments ORDER BY id`),
      ...(await sql`SELECT count(*) FROM audit_log`),
      ...(await sql`SELECT count(*) FROM events`),
      ...(await sql`SELECT count(*) FROM addresses`),
    ]
    const before = await snapshot()
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']) {
      for (const query of ['', '?lang=de&cancel=1&status=cancelled'])
        await open(checkout_url, { method, query })
    }
    expect(await snapshot()).toEqual(before)
  })

  test('counts confirmations of a paid payment, and ends with a link to the shop', async () => {
    const success_url = 'https://shop.example/thanks?a=1&b=%22<\u202e'
    const { address, checkout_url } = await stage.open({ success_url })
    expect((await open(checkout_url)).html).not.toContain('shop.example')
    stage.send(address, '1')
    await stage.look()
    const seen = await open(checkout_url)
    expect(screenOf(seen.html)).toBe('paid')
    expect(seen.text).toContain('0 of 3 confirmations')
    await stage.mine(1)
    expect((await open(checkout_url)).text).toContain('1 of 3 confirmations')
    await stage.mine(3)
    const done = await open(checkout_url)
    expect(screenOf(done.html)).toBe('confirmed')
    expect(done.text).toContain('1 BTC has arrived. Thank you.')
    expect(done.html).toContain('href="https://shop.example/thanks?a=1&amp;b=%22&lt;\u202e" rel="noreferrer"')
    for (const page of [seen, done]) expect(uriIn(page.html)).toBeUndefined()
  })

  test('links to the shop after the end, and not while the payer can pay', async () => {
    const urls = { success_url: 'https://shop.example/thanks', failure_url: 'https://shop.example/cart?a=1' }
    const { payment_id, checkout_url } = await stage.open(urls)
    expect(await stage.read(payment_id)).toMatchObject(urls)
    expect((await open(checkout_url)).html).not.toContain('shop.example')
    await stage.expire(payment_id)
    const { html } = await open(checkout_url)
    expect(html).toContain('href="https://shop.example/cart?a=1" rel="noreferrer"')
    expect(html).not.toContain('shop.example/thanks')
  })

  test('shows no way to pay after the end, and warns against a second payment', async () => {
    const expired = await stage.open()
    await stage.expire(expired.payment_id)
    const cancelled = await stage.open()
    await stage.api.call({ method: 'POST', path: `/api/v1/payments/${cancelled.payment_id}/cancel` })
    const part = await stage.open()
    stage.send(part.address, '0.4')
    await stage.mine(1)
    await stage.expire(part.payment_id)
    const overdue = await stage.open()
    await stage.api.database.sql`
      UPDATE payments SET created_at = created_at - interval '2 hours', expires_at = clock_timestamp() WHERE id = ${overdue.payment_id}`
    for (const [payment, screen, text] of [
      [expired, 'expired', 'If you have paid already, do not pay again'],
      [overdue, 'expired', 'If you have paid already, do not pay again'],
      [part, 'expired', '0.4 BTC of 1 BTC has arrived, which is too little. Do not send the rest'],
      [cancelled, 'cancelled', 'If you have paid already, do not pay again'],
    ] as const) {
      const page = await open(payment.checkout_url)
      expect(screenOf(page.html)).toBe(screen)
      expect(page.text).toContain(text)
      expect(page.html).not.toContain(payment.address)
      expect(page.html).not.toContain('<svg')
      expect(page.html).not.toContain('data-copy')
    }
    stage.send(expired.address, '1')
    await stage.mine(1)
    const late = await open(expired.checkout_url)
    expect(screenOf(late.html)).toBe('late')
    expect(late.text).toContain('1 BTC arrived after this payment had ended. Do not pay again')
  })

  test('says that another attempt exists, and not where', async () => {
    const { payment_id, checkout_url } = await stage.open()
    await stage.expire(payment_id)
    const { json } = await stage.api.call({
      method: 'POST',
      path: `/api/v1/payments/${payment_id}/reissue`,
      body: {},
    })
    const page = await open(checkout_url)
    expect(page.text).toContain('The shop has made another attempt')
    expect(page.html).not.toContain(json.data.payment_id)
    expect(page.html).not.toContain(pathOf(json.data.checkout_url))
    expect(page.html).not.toContain(json.data.address)
  })

  test('shows an open payment without an amount, and what arrived', async () => {
    const { address, checkout_url, payment_uri } = await stage.open({
      amount: undefined,
      user_reference: 'giver',
    })
    const page = await open(checkout_url)
    expect(page.text).toContain('Pay any amount of BTC')
    expect(uriIn(page.html)).toBe(payment_uri)
    expect(page.text).not.toContain('0 BTC')
    stage.send(address, '0.25')
    await stage.mine(4)
    expect((await open(checkout_url)).text).toContain('0.25 BTC has arrived. Thank you.')
  })

  test('says when another coin or too much arrived', async () => {
    const wrong = await eth.open()
    eth.send(wrong.address, '5', 'usdt')
    const much = await eth.open()
    eth.send(much.address, '2')
    await eth.mine(1)
    const page = await open(wrong.checkout_url, { on: eth })
    expect(screenOf(page.html)).toBe('pending')
    expect(page.text).toContain('Another coin arrived at this address')
    expect((await open(much.checkout_url, { on: eth })).text).toContain('More than the amount has arrived')
  })
})

describe('safety', () => {
  test('escapes an order id and a name, and makes their hidden characters visible', async () => {
    const { sql } = stage.api.database
    await sql`UPDATE merchants SET name = ${'<b>"Shop"</b> \u202e&'}, colour = '#ffee00' WHERE id = ${stage.api.merchantId}`
    const { checkout_url } = await stage.open({ order_id: '</dd><script>alert(1)</script>\u2066\'"' })
    const page = await open(checkout_url)
    await sql`UPDATE merchants SET name = 'Shop', colour = null WHERE id = ${stage.api.merchantId}`
    expect(page.html).toContain('&lt;/dd&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u{2066}&#39;&quot;')
    expect(page.html).toContain('<bdi>&lt;b&gt;&quot;Shop&quot;&lt;/b&gt; \\u{202e}&amp;</bdi>')
    expect(page.html).not.toMatch(/[\u202e\u2066]/)
    const own = /<script type="module" src="\/assets\/[\w-]+\.[0-9a-f]{16}\.js"><\/script>/g
    expect(page.html.match(/<script/g)).toHaveLength(page.html.match(own)?.length ?? 0)
    expect(page.html).toContain('<link rel="stylesheet" href="/assets/colour.ffee00.css">')
    const sheet = await open('http://x/assets/colour.ffee00.css')
    expect(sheet.html).toBe(':root{--brand:#ffee00;--on-brand:#000000}')
  })

  test('answers with a strict content policy, and lets nothing be stored or passed on', async () => {
    const { checkout_url } = await stage.open()
    for (const url of [checkout_url, 'http://x/checkout/unknown']) {
      const { headers } = await open(url)
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toContain(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'",
      )
      expect(policy).toContain("form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
      expect(policy).not.toContain('unsafe')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('cache-control')).toBe('no-store')
    }
    const { html } = await open(checkout_url)
    expect(html).not.toMatch(/ style=| on\w+=|<style|javascript:/)
  })

  test('answers an unknown token with a page, and other methods with 405', async () => {
    const { checkout_url, payment_id } = await stage.open()
    for (const url of [
      'http://x/checkout/unknown',
      `http://x/checkout/${'a'.repeat(32)}`,
      `http://x/checkout/${payment_id}`,
      'http://x/checkout/a/b',
    ]) {
      const page = await open(url)
      expect(page.status).toBe(404)
      expect(page.headers.get('content-type')).toContain('text/html')
      expect(page.text).toContain('There is no such page')
    }
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const page = await open(checkout_url, { method })
      expect(page.status).toBe(405)
      expect(page.headers.get('allow')).toBe('GET, HEAD')
    }
    expect((await stage.read(payment_id)).status).toBe('pending')
  })

  test('answers HEAD, and takes no notice of unknown query fields', async () => {
    const { checkout_url } = await stage.open()
    const head = await open(checkout_url, { method: 'HEAD' })
    expect([head.status, head.html]).toEqual([200, ''])
    expect(head.headers.get('content-security-policy')).toContain("default-src 'none'")
    const page = await open(checkout_url, { query: '?utm_source=x&lang=xx&lang=de&__proto__=1' })
    expect([page.status, screenOf(page.html)]).toEqual([200, 'pending'])
  })

  test('limits the pages of one address, and says when to come back', async () => {
    const { checkout_url } = await stage.open()
    const limit = stage.api.dependencies.environment.KEYTURN_PAGE_RATE
    const from = { ip: '198.51.100.7' }
    // Tokens flow back while the pages load, so that the number of pages depends on the machine.
    for (let page = 0; page < limit; page++) await open('http://x/checkout/unknown', from)
    let refused = await open(checkout_url, from)
    for (let page = 0; refused.status === 200 && page < 4 * limit; page++) {
      refused = await open(checkout_url, from)
    }
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(refused.text).toContain('Too many pages')
    expect((await open(checkout_url, { ip: '198.51.100.8' })).status).toBe(200)
  })
})

test('speaks the language that the browser prefers, unless the address names another one', async () => {
  const { checkout_url } = await stage.open()
  const languageOf = async (acceptLanguage: string, query = '') => {
    const { html } = await open(checkout_url, { query, 'accept-language': acceptLanguage })
    return /<html lang="(\w+)" dir="(\w+)">/.exec(html)?.slice(1).join(' ')
  }
  expect(await languageOf('de-AT,de;q=0.9,en;q=0.8')).toBe('de ltr')
  expect(await languageOf('pt, en;q=0.1, fr;q=0.5')).toBe('fr ltr')
  expect(await languageOf('ar')).toBe('ar rtl')
  expect(await languageOf('en;q=0, xx')).toBe('en ltr')
  expect(await languageOf('de', '?lang=es')).toBe('es ltr')
  expect(await languageOf('de', '?lang=nonsense')).toBe('de ltr')
  for (const language of LANGUAGES)
    expect((await open(checkout_url, { query: `?lang=${language}` })).html).toContain(
      `<html lang="${language}"`,
    )
})
