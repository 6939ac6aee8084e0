/** Creates the server of an app. Errors that occur before the app is reached have the shape of every other error. */

import { randomUUID } from 'node:crypto'
import { createServer, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener, RequestError } from '@hono/node-server'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiApp } from '../context.js'
import { errorBody, toKeyturnError } from './map-error.js'

/** Limit for the headers, and for the whole request. */
const REQUEST_TIMEOUT_MS = 30_000

export interface ListenOptions {
  readonly host: string
  /** Port. 0 takes any free one. */
  readonly port: number
}

/** Starts the server. @returns The server once it listens. @throws The error of `listen`, e.g. EADDRINUSE. */
export async function listen(app: Pick<ApiApp, 'fetch'>, { host, port }: ListenOptions): Promise<Server> {
  const listener = getRequestListener((request, env) => app.fetch(request, env as never), {
    errorHandler: (error) => toResponse(beforeApp(error)),
  })
  const server = createServer(
    // The app refuses a missing Host header itself, because Node's own refusal has no body.
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

/** Returns the error for a request that the app could not read, because of its Host header or its path. */
function beforeApp(error: unknown): KeyturnError {
  return error instanceof RequestError
    ? malformed('The Host header or the path cannot be read. Check both and send the request again')
    : toKeyturnError(error)
}

function ofParser({ code }: NodeJS.ErrnoException): KeyturnError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new KeyturnError(
        'HEADERS_TOO_LARGE',
        'The headers are too large together. Send fewer or shorter ones',
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new KeyturnError('REQUEST_TIMEOUT', 'The request did not arrive in time. Send it again')
    default:
      return malformed('This is not a valid HTTP/1.1 request. Check the request line and the headers')
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
  // The client has already closed the connection, so no answer can be sent.
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
