/** Tests one call to a platform that answers byte by byte, too much, or under a false signature. */

import { randomBytes } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MAX_ANSWER_BYTES } from '../../domain/signing/signer-protocol.js'
import { boundJson, MAX_DEPTH, MAX_VALUES } from '../../signer/exchange/bound-json.js'
import { connectPlatform, PlatformUnavailable } from '../../signer/exchange/platform-connection.js'
import { ed25519PublicKey, openIdentity } from '../../signer/keys/identity.js'
import { startPlatform } from './platform-double.js'

let server: Server
let sockets: Socket[]
let timers: NodeJS.Timeout[]
let speak: (socket: Socket) => void

beforeEach(async () => {
  sockets = []
  timers = []
  server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.resume()
    speak(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(() => {
  for (const timer of timers) clearInterval(timer)
  for (const socket of sockets) socket.destroy()
  server.close()
  vi.restoreAllMocks()
})

const identity = openIdentity(randomBytes(32))

function connect(url: string, publicKey = Buffer.alloc(32, 9).toString('base64')) {
  return connectPlatform({ url, platformKey: ed25519PublicKey(publicKey), identity })
}

function call(deadlineMs: number) {
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return connect(`http://127.0.0.1:${port}`).post('/signer/v1/claim', {}, { timeoutMs: deadlineMs })
}

/** Makes a connection to a platform that knows this identity. */
async function enrolled() {
  const platform = await startPlatform()
  const enrolment = { identity_public_key: identity.publicKey }
  await connect(platform.url, platform.publicKey).post('/signer/v1/enrol', enrolment, { timeoutMs: 5_000 })
  return platform
}

/** Sends a text, and then the rest a byte at a time. */
const dripping = (start: string, unit: string) => (socket: Socket) => {
  socket.write(start)
  timers.push(setInterval(() => socket.write(unit), 50))
}

test.each([
  ['nothing at all', () => {}],
  ['headers', dripping('HTTP/1.1 200 OK\r\nx-a: ', 'a')],
  ['news before the answer', dripping('', 'HTTP/1.1 103 Early Hints\r\n\r\n')],
  ['a body of a length', dripping('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n', 'a')],
  ['chunks', dripping('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\na\r\n')],
] as const)(
  'keeps the deadline of the whole exchange while the peer drips %s and memory is collected',
  async (_what, how) => {
    speak = how
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    timers.push(setInterval(collect, 100))
    const before = Date.now()
    await expect(call(1_000)).rejects.toThrow('took too long')
    expect(Date.now() - before).toBeLessThan(3_000)
    await vi.waitFor(() => expect(sockets.every((socket) => socket.closed)).toBe(true))
  },
)

test('refuses an answer that is declared too long or compressed before its body', async () => {
  speak = (socket) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${MAX_ANSWER_BYTES + 1}\r\n\r\n`)
  await expect(call(5_000)).rejects.toThrow('larger than')
  speak = (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n')
  await expect(call(5_000)).rejects.toThrow('compressed')
})

test('parses no answer before it verified the signature over the raw bytes', async () => {
  const platform = await enrolled()
  platform.takeOver = ({ response }) => {
    response.writeHead(200, { 'x-platform-signature': randomBytes(64).toString('base64') })
    response.end('{"hostile": 1}')
    return true
  }
  const parse = vi.spyOn(JSON, 'parse')
  await expect(
    connect(platform.url, platform.publicKey).post('/signer/v1/claim', {}, { timeoutMs: 5_000 }),
  ).rejects.toThrow(PlatformUnavailable)
  expect(parse.mock.calls.filter(([text]) => String(text).includes('hostile'))).toEqual([])
  // The same bytes are read under the platform's signature.
  platform.takeOver = ({ response, signed }) => {
    response.writeHead(200, signed(Buffer.from('{"hostile": 1}')))
    response.end('{"hostile": 1}')
    return true
  }
  const answer = await connect(platform.url, platform.publicKey).post('/x', {}, { timeoutMs: 5_000 })
  expect(answer.body).toEqual({ hostile: 1 })
  await platform.close()
})

test('sends a request again when its idle connection was closed', async () => {
  const platform = await enrolled()
  platform.takeOver = ({ response, signed }) => {
    response.writeHead(200, signed(Buffer.from('{}')))
    response.end('{}')
    return true
  }
  const connection = connect(platform.url, platform.publicKey)
  for (let time = 0; time < 5; time++) {
    await connection.post('/x', {}, { timeoutMs: 5_000 })
    platform.disconnect()
    await connection.post('/x', {}, { timeoutMs: 5_000 })
  }
  await platform.close()
})

test('bounds JSON by its values and depth, and counts a text as one value', () => {
  const bound = (text: string) => boundJson(Buffer.from(text))
  expect(bound(`[${'0,'.repeat(MAX_VALUES)}0]`)).toContain('values')
  expect(bound(`${'[{"a":'.repeat(MAX_DEPTH)}`)).toContain('nested')
  expect(bound(JSON.stringify({ text: `\\"${'[{,:'.repeat(MAX_VALUES)}` }))).toBeNull()
  expect(bound('"never ends\\')).toBeNull()
  expect(bound('{"a":[1,{"b":"c"}]}')).toBeNull()
})
