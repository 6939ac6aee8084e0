/** Sending to endpoints of others: guarded, bounded and kept alive. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createSender, type Sender, type SenderOptions } from '../../egress/create-sender.js'
import { createTargetPolicy } from '../../egress/target-policy.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

const local = createTargetPolicy({ allowCidrs: ['127.0.0.1/32'], allowHttp: true })
const body = Buffer.from('{"id":"evt_1"}')

let receiver: WebhookReceiver
let senders: Sender[]
beforeEach(async () => {
  receiver = await startWebhookReceiver()
  senders = []
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all(senders.map((each) => each.close()))
  await receiver.close()
})

function sender(options: Partial<SenderOptions> = {}): Sender {
  const made = createSender({ policy: local, timeoutMs: 1_000, ...options })
  senders.push(made)
  return made
}
const post = (from: Sender, url = receiver.url, extra: Record<string, string> = {}) =>
  from.send({ url, headers: { 'content-type': 'application/json', ...extra }, body })

describe('an endpoint that answers', () => {
  test('receives the bytes and headers unchanged', async () => {
    const result = await post(sender(), `${receiver.url}/hook?shop=1`, { 'webhook-id': 'evt_1' })
    expect(result).toMatchObject({ statusCode: 204, error: null, response: null, timedOut: false })
    expect(receiver.received[0]).toMatchObject({ path: '/hook?shop=1', body })
    expect(receiver.received[0]?.headers).toMatchObject({
      'webhook-id': 'evt_1',
      'content-type': 'application/json',
      'content-length': String(body.length),
    })
    expect(receiver.received[0]?.headers['accept-encoding']).toBeUndefined()
  })
  test('is reached over one kept-alive connection', async () => {
    receiver.behave(answers(200, 'ok'))
    const one = sender()
    for (let i = 0; i < 5; i += 1) expect((await post(one)).response).toBe('ok')
    expect(new Set(receiver.received.map((each) => each.fromPort)).size).toBe(1)
  })
  test.each([200, 201, 202, 204, 299])('accepts the request with status %i', async (status) => {
    receiver.behave(answers(status))
    expect(await post(sender())).toMatchObject({ error: null, failureClass: null })
  })
  test.each([
    [400, 'contract_rejected'],
    [401, 'signature_rejected'],
    [403, 'signature_rejected'],
    [404, 'endpoint_error'],
    [408, 'endpoint_error'],
    [410, 'contract_rejected'],
    [422, 'contract_rejected'],
    [429, 'endpoint_error'],
    [500, 'endpoint_error'],
    [503, 'endpoint_error'],
  ])('refuses the request with status %i, which is %s', async (status, failureClass) => {
    receiver.behave(answers(status, 'because'))
    expect(await post(sender())).toMatchObject({
      statusCode: status,
      failureClass,
      error: `HTTP ${status}`,
      response: 'because',
    })
  })
  test('is reached without the proxy of the environment', async () => {
    const proxy = await startWebhookReceiver()
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY']) vi.stubEnv(name, proxy.url)
    expect((await post(sender())).statusCode).toBe(204)
    expect(proxy.received).toHaveLength(0)
    await proxy.close()
  })
  test('receives the request again on a new connection if it closed the idle one', async () => {
    let requests = 0
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => {
        requests += 1
        // The second request on a connection meets its end.
        if (requests === 2) socket.end()
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const one = sender()
    expect((await post(one, url)).error).toBeNull()
    expect((await post(one, url)).error).toBeNull()
    expect(requests).toBe(3)
    server.close()
  })
})

describe('the sender at an endpoint that misbehaves', () => {
  test.each([301, 302, 303, 307, 308])('sends no second request after redirect %i', async (status) => {
    const elsewhere = await startWebhookReceiver()
    receiver.behave((response) => response.writeHead(status, { location: elsewhere.url }).end())
    const result = await post(sender())
    expect(result).toMatchObject({ statusCode: status, failureClass: 'redirect' })
    expect(result.error).toMatch(/redirects are not followed/)
    expect(elsewhere.received).toHaveLength(0)
    await elsewhere.close()
  })
  test('does not follow a redirect to a metadata address', async () => {
    receiver.behave((response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
    )
    expect((await post(sender())).error).toMatch(/^HTTP 302/)
  })
  test('ends the attempt at the time-out if no answer comes', async () => {
    receiver.behave(() => {})
    expect(await post(sender({ timeoutMs: 200 }))).toMatchObject({
      statusCode: null,
      error: 'No answer within 0.2 s',
      failureClass: 'timeout',
      timedOut: true,
    })
  })
  test('ends the attempt at the time-out if headers arrive byte by byte', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.write('HTTP/1.1 200 OK\r\n')
      const drip = setInterval(() => socket.write('x'), 20)
      socket.on('close', () => clearInterval(drip))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const result = await post(
      sender({ timeoutMs: 300 }),
      `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    )
    expect(result).toMatchObject({ statusCode: null, timedOut: true })
    server.close()
  })
  test('accepts a 2xx whose body never ends and closes the connection', async () => {
    let closed = false
    receiver.behave((response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write('x'), 20)
      response.on('close', () => {
        closed = true
        clearInterval(drip)
      })
    })
    const result = await post(sender({ timeoutMs: 300 }))
    expect(result).toMatchObject({ statusCode: 200, error: null })
    await vi.waitFor(() => expect(closed).toBe(true))
  })
  test('stops reading a body of a gigabyte after the limit', async () => {
    let written = 0
    const chunk = Buffer.alloc(65_536, 'x')
    receiver.behave((response) => {
      response.writeHead(500, { 'content-length': 1_073_741_824 })
      const write = () => {
        while (!response.destroyed && written < 1_073_741_824) {
          written += chunk.length
          if (!response.write(chunk)) {
            response.once('drain', write)
            return
          }
        }
      }
      write()
    })
    const result = await post(sender())
    expect(result).toMatchObject({ statusCode: 500, error: 'HTTP 500', response: 'x'.repeat(4_096) })
    expect(written).toBeLessThan(64 * 1_048_576)
  })
  test('stores a compressed bomb without decompressing it', async () => {
    const { gzipSync } = await import('node:zlib')
    const bomb = gzipSync(Buffer.alloc(10_485_760))
    receiver.behave((response) => response.writeHead(500, { 'content-encoding': 'gzip' }).end(bomb))
    const result = await post(sender())
    expect(Buffer.byteLength(result.response ?? '')).toBeLessThanOrEqual(4_096)
    expect(result.response).not.toContain('\0')
  })
  test('stores bytes that are no text within the limit', async () => {
    receiver.behave((response) => response.writeHead(500).end(Buffer.alloc(5_000, 0xff)))
    const { response } = await post(sender())
    expect(Buffer.byteLength(response ?? '')).toBeLessThanOrEqual(4_096)
    expect(response).toMatch(/^\uFFFD+$/)
  })
  test('reports a closed connection and sends no second request', async () => {
    receiver.behave((response) => response.socket?.destroy())
    expect(await post(sender())).toMatchObject({
      statusCode: null,
      error: 'The connection was closed without an answer',
      failureClass: 'unreachable',
      timedOut: false,
    })
    expect(receiver.received).toHaveLength(1)
  })
  test('keeps the status when the body breaks off', async () => {
    receiver.behave((response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('half')
      setTimeout(() => response.socket?.destroy(), 20)
    })
    expect(await post(sender())).toMatchObject({ statusCode: 200, error: null, response: 'half' })
  })
  test('reports an answer that is not HTTP', async () => {
    const server = createTcpServer((socket) => socket.end('220 mail.example ESMTP\r\n'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const result = await post(sender(), `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    expect(result).toMatchObject({ statusCode: null })
    expect(result.error).toMatch(/not HTTP/)
    server.close()
  })
  test('reports a connection error', async () => {
    const { url, close } = await startWebhookReceiver()
    await close()
    expect(await post(sender(), url)).toMatchObject({
      error: 'Connection refused',
      failureClass: 'unreachable',
    })
  })
})

describe('the sender and addresses that are not public', () => {
  const strict = createTargetPolicy({ allowCidrs: [], allowHttp: false })

  test.each([
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0177.0.0.1/',
    'https://[::ffff:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
  ])('%s is never connected to', async (url) => {
    const result = await post(sender({ policy: strict }), url)
    expect(result).toMatchObject({ statusCode: null })
    expect(result.error).toMatch(/^Not sent: .*not public/)
  })

  test('refuses a name that resolved to a public address before', async () => {
    const answersOfDns = [['93.184.216.34'], ['127.0.0.1'], ['169.254.169.254'], ['::ffff:10.0.0.1']]
    const resolve = vi.fn(async () => answersOfDns.shift() ?? [])
    const { checkTarget } = await import('../../egress/check-target.js')
    await checkTarget('https://rebind.example/', strict, resolve)
    const one = sender({ policy: strict, resolve })
    for (let i = 0; i < 3; i += 1) {
      expect((await post(one, 'https://rebind.example/secret-path')).error).toMatch(/^Not sent: .*not public/)
    }
    expect(resolve).toHaveBeenCalledTimes(4)
  })

  test('refuses a host that also has public addresses', async () => {
    const resolve = async () => ['93.184.216.34', '10.0.0.1']
    expect((await post(sender({ policy: strict, resolve }), 'https://mixed.example/')).error).toMatch(
      /not public/,
    )
  })

  test('refuses a port that is not allowed, and an address that the operator denies, at each attempt', async () => {
    const resolve = async () => ['127.0.0.1']
    const url = `http://shop.example:${receiver.port}/`
    const rules = { allowCidrs: ['127.0.0.1'], allowHttp: true, ports: [443, 8443] }
    expect((await post(sender({ policy: createTargetPolicy(rules), resolve }), url)).statusCode).toBe(204)
    const denied = createTargetPolicy({ ...rules, denyCidrs: ['127.0.0.0/8'] })
    expect((await post(sender({ policy: denied, resolve }), url)).error).toMatch(/^Not sent: .*excluded/)
    const elsewhere = { policy: createTargetPolicy(rules), resolve: async () => ['93.184.216.34'] }
    expect((await post(sender(elsewhere), 'https://shop.example:9200/')).error).toMatch(/^Not sent: .*ports/)
    expect(receiver.received).toHaveLength(1)
  })

  test('resolves a name once a connection and connects to the address that was checked', async () => {
    const resolve = vi.fn(async () => ['127.0.0.1'])
    const one = sender({ resolve })
    expect((await post(one, `http://shop.example:${receiver.port}/`)).statusCode).toBe(204)
    expect((await post(one, `http://shop.example:${receiver.port}/`)).statusCode).toBe(204)
    expect(resolve).toHaveBeenCalledTimes(1)
    expect(receiver.received[0]?.headers.host).toBe(`shop.example:${receiver.port}`)
  })
})

test('says that a refused address was blocked, and a name without an address is unreachable', async () => {
  const unknown = Object.assign(new Error(), { code: 'ENOTFOUND' })
  const silent = Object.assign(new Error(), { code: 'ETIMEOUT' })
  const classOf = async (url: string, resolve: () => Promise<string[]>) =>
    (await post(sender({ resolve }), url)).failureClass
  expect(await classOf('https://10.0.0.1/', async () => [])).toBe('blocked')
  expect(await classOf('https://shop.example/', async () => ['169.254.169.254'])).toBe('blocked')
  expect(await classOf('https://shop.example/', async () => [])).toBe('unreachable')
  expect(await classOf('https://shop.example/', () => Promise.reject(unknown))).toBe('unreachable')
  expect(await classOf('https://shop.example/', () => Promise.reject(silent))).toBe('unreachable')
})

describe('over TLS', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyturn-tls-'))
    execFileSync(
      'openssl',
      // biome-ignore format: one option a word
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=shop.example',
       '-addext', 'subjectAltName=DNS:shop.example', '-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')],
      { stdio: 'ignore' },
    )
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  test('requires a certificate for the host name from a trusted authority', async () => {
    const cert = readFileSync(join(directory, 'cert.pem'), 'utf8')
    const server = createHttpsServer(
      { key: readFileSync(join(directory, 'key.pem')), cert },
      (_request, response) => response.end('ok'),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const resolve = async () => ['127.0.0.1']
    const trusting = sender({ resolve, ca: cert })
    expect((await post(trusting, `https://shop.example:${port}/`)).statusCode).toBe(200)
    expect(await post(trusting, `https://other.example:${port}/`)).toMatchObject({
      error: expect.stringMatching(/certificate/),
      failureClass: 'unreachable',
    })
    expect((await post(sender({ resolve }), `https://shop.example:${port}/`)).error).toMatch(/certificate/)
    server.closeAllConnections()
    server.close()
  })
})

test('never puts the path, the query or a secret into an error', async () => {
  receiver.behave((response) => response.socket?.destroy())
  const targets = [
    `${receiver.url}/token-s3cret?key=s3cret`,
    'http://nowhere.invalid/s3cret',
    'https://10.0.0.1/s3cret',
    'https://u:s3cret@shop.example/',
  ]
  for (const url of targets) {
    expect(JSON.stringify(await post(sender(), url, { authorization: 's3cret' }))).not.toContain('s3cret')
  }
})

describe('an endpoint that sends interim answers first', () => {
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
  /** Answers each request with these pieces and a short pause between them. */
  async function answering(...pieces: string[]) {
    const connections = new Set<unknown>()
    const server = createTcpServer((socket) => {
      connections.add(socket)
      let text = ''
      socket.on('error', () => {})
      socket.on('data', async (chunk) => {
        text += chunk
        if (!text.endsWith(String(body))) return
        text = ''
        for (const piece of pieces) {
          socket.write(piece)
          await new Promise((resolve) => setTimeout(resolve, 15))
        }
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    return { url, connections, close: () => new Promise((resolve) => server.close(resolve)) }
  }

  test.each([
    ['100 alone', [CONTINUE, OK]],
    ['100 in the same packet', [CONTINUE + OK]],
    [
      '100 with headers, in many pieces',
      [
        'HT',
        'TP/1.1 1',
        '00 Contin',
        'ue\r\nX-A: 1\r',
        '\n\r\nHTTP/1.1 2',
        '00 OK\r\nContent-Length: 2\r\n\r\nok',
      ],
    ],
    ['100 without a reason', ['HTTP/1.1 100\r\n\r\n', OK]],
    ['two of them', [CONTINUE, CONTINUE, OK]],
    [
      '102 and 103',
      ['HTTP/1.1 102 Processing\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', OK],
    ],
    ['100 and 103', [CONTINUE, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', OK]],
    ['103 and 100', ['HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', CONTINUE, OK]],
    ['103 and 100 in the same packet', [`HTTP/1.1 103 Early Hints\r\n\r\n${CONTINUE}${OK}`]],
  ])('accepts the request by its final answer: %s', async (_name, pieces) => {
    const server = await answering(...pieces)
    const one = sender()
    for (let index = 0; index < 3; index++) {
      expect(await post(one, server.url)).toMatchObject({ statusCode: 200, error: null, response: 'ok' })
    }
    // Its connection is as good as any other.
    expect(server.connections.size).toBe(1)
    await one.close()
    await server.close()
  })

  test('does not accept the request if a refusal or no answer follows', async () => {
    const refusing = await answering(CONTINUE, 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n')
    const silent = await answering(CONTINUE)
    const one = sender({ timeoutMs: 300 })
    expect(await post(one, refusing.url)).toMatchObject({ statusCode: 500, error: 'HTTP 500' })
    expect(await post(one, silent.url)).toMatchObject({ statusCode: null, timedOut: true })
    await one.close()
    await Promise.all([refusing.close(), silent.close()])
  })

  test.each([
    ['whole', CONTINUE.repeat(40)],
    ['cut', `TP/1.1 103 Early Hints\r\n\r\n${CONTINUE.repeat(40)}HT`],
  ])('does not read more than 16 KB of them, %s', async (_name, flood) => {
    const flooding = await answering('HT', ...Array<string>(60).fill(flood))
    const one = sender({ timeoutMs: 20_000 })
    expect(await post(one, flooding.url)).toMatchObject({ failureClass: 'unreachable', timedOut: false })
    await one.close()
    await flooding.close()
  })

  test('may contain 100 Continue in its body', async () => {
    const text = 'HTTP/1.1 100 Continue'
    const server = await answering(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n`, text)
    const one = sender()
    expect((await post(one, server.url)).response).toBe(text)
    await one.close()
    await server.close()
  })
})
