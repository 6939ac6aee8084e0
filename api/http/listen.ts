/** A server around an app, in which also what goes wrong before the app is reached has the shape of every other error. */

import { randomUUID } from 'node:crypto'
import { createServer, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener, RequestError } from '@hono/node-server'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiApp } from '../context.js'
import { errorBody, toKeyturnError } from './map-error.js'

/** For the headers and for the whole request. */
const REQUEST_TIMEOUT_MS = 30_000

export interface ListenOptions {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
}

/** @returns The server once it listens. @throws What `listen` fails with, e.g. EADDRINUSE. */
export async function listen(app: Pick<ApiApp, 'fetch'>, { host, port }: ListenOptions): Promise<Server> {
  const listener = getRequestListener((request, env) => app.fetch(request, env as never), {
    errorHandler: (error) => toResponse(beforeApp(error)),
  })
  const server = createServer(
    // A missing Host is refused by ourselves: Node's own refusal has no body.
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, requireHostHeader: false },
    listener,
  )
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(socket, ofParser(error)))
  server.on('checkExpectation', (_request, response) => {
    const error = malformed('Send no Expect header but 100-continue')
    const body = textOf(error)
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }
    response.writeHead(error.status, headers).end(body)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return server
}

/** The request could not be read: a Host that is none, a path that is no path. */
function beforeApp(error: unknown): KeyturnError {
  return error instanceof RequestError
    ? malformed('The Host header or the path cannot be read; check both and send it again')
    : toKeyturnError(error)
}

function ofParser({ code }: NodeJS.ErrnoException): KeyturnError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new KeyturnError(
        'HEADERS_TOO_LARGE',
        'The headers are too large together; send fewer or shorter ones',
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new KeyturnError('REQUEST_TIMEOUT', 'The request did not arrive in time; send it again')
    default:
      return malformed('This is not HTTP/1.1 as we read it; check the request line and the headers')
  }
}

function malformed(message: string): KeyturnError {
  return new KeyturnError('MALFORMED_REQUEST', message)
}

function textOf(error: KeyturnError): string {
  return JSON.stringify(errorBody(error, `req_${randomUUID().replaceAll('-', '')}`))
}

function toResponse(error: KeyturnError): Response {
  return new Response(textOf(error), {
    status: error.status,
    headers: { 'Content-Type': 'application/json' },
  })
}

function refuse(socket: Duplex, error: KeyturnError): void {
  // Gone already: there is no one left to answer.
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = textOf(error)
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}
