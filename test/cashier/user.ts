/** A user with a browser without scripts: keeps cookies, follows redirects, reads and sends forms. */

import type { TestApi } from '../stage/test-api.js'

export interface Page {
  readonly status: number
  readonly headers: Headers
  readonly html: string
  /** Path at which redirects ended. */
  readonly path: string
}

export interface Sending {
  readonly origin?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly method?: string
}

export class User {
  readonly cookies = new Map<string, string>()

  constructor(
    readonly api: TestApi,
    readonly origin = 'https://pay.example.com',
    readonly ip = '203.0.113.7',
  ) {}

  /** Loads a page without following redirects. */
  async load(path: string, { headers = {}, method = 'GET' }: Sending = {}): Promise<Page> {
    return this.send(path, { method, headers })
  }

  /** Loads a page and follows redirects. */
  async open(path: string, sending: Sending = {}): Promise<Page> {
    let page = await this.load(path, sending)
    while (page.status === 303) page = await this.load(page.headers.get('location') ?? '')
    return page
  }

  /** Sends fields without following redirects. */
  async post(
    path: string,
    fields: Readonly<Record<string, string>>,
    { origin = this.origin, headers = {} }: Sending = {},
  ): Promise<Page> {
    return this.send(path, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        ...(origin === null ? {} : { Origin: origin }),
        ...headers,
      },
      body: new URLSearchParams(fields).toString(),
    })
  }

  private async send(path: string, init: RequestInit & { headers: Record<string, string> }): Promise<Page> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const url = new URL(path, this.origin)
    const response = await this.api.app.request(
      url.href,
      { ...init, headers: { ...(cookie && { Cookie: cookie }), ...init.headers } },
      { incoming: { url: url.pathname + url.search, socket: { remoteAddress: this.ip } } },
    )
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      this.cookies.set(name, value)
    }
    return {
      status: response.status,
      headers: response.headers,
      html: await response.text(),
      path: url.pathname + url.search,
    }
  }
}

/** Returns the hidden fields of the forms of a page. */
export function hiddenFields(html: string): Record<string, string>[] {
  return [...html.matchAll(/<form[^>]*>(.*?)<\/form>/gs)].map(([, content = '']) =>
    Object.fromEntries(
      [...content.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(
        ([, name = '', value = '']) => [name, value] as const,
      ),
    ),
  )
}

/** Returns the hidden fields of the form for a coin. */
export function formFor(html: string, network: string, coin?: string): Record<string, string> {
  const found = hiddenFields(html).find(
    (fields) => fields.network === network && (coin === undefined || fields.coin === coin),
  )
  if (!found) throw new Error(`The page has no form for ${coin} on ${network}`)
  return found
}
