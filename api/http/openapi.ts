/** Builds the OpenAPI document from the schemas that validate requests and answers. */

import { ErrorAnswer } from '../../wire/error.js'
import type { ApiApp } from '../context.js'

const HEADERS = {
  ApiKey: ['X-Api-Key', 'Public id of the API key.'],
  Timestamp: ['X-Timestamp', 'Present time in Unix seconds, at most 300 s off.'],
  Nonce: ['X-Nonce', 'Nonce of up to 64 characters that was never used before with this key.'],
  Signature: [
    'X-Signature',
    'Lower-case hex HMAC-SHA256, keyed with the API secret, of timestamp, nonce, METHOD, path with query as sent and lower-case hex SHA-256 of the body, joined by line feeds.',
  ],
} as const

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  schema: { type: 'string', minLength: 1, maxLength: 255 },
  description:
    'Key of this request. The same key and request return the first answer, with `Idempotent-Replayed: true`.',
} as const

/** Builds the document (OpenAPI 3.1) of every route that is registered on the app. */
export function buildOpenApi(app: ApiApp): Record<string, unknown> {
  for (const [name, [header, description]] of Object.entries(HEADERS)) {
    app.openAPIRegistry.registerComponent('securitySchemes', name, {
      type: 'apiKey',
      in: 'header',
      name: header,
      description,
    })
  }
  // No route declares its errors, so the schema is registered here.
  app.openAPIRegistry.register('Error', ErrorAnswer)
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Keyturn',
      version: '1.0.0',
      description:
        'Crypto deposits and withdrawals for a business that keeps its own keys. See docs/reference/api.md for a first call.',
    },
    servers: [{ url: '/' }],
  })
  for (const item of Object.values(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(item as Record<string, Operation>)) {
      if (!operation.security) continue
      operation.responses.default = {
        description: 'An error. Its `code` is stable',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      }
      if (method === 'post') operation.parameters = [...(operation.parameters ?? []), IDEMPOTENCY_KEY]
    }
  }
  return document as unknown as Record<string, unknown>
}

interface Operation {
  security?: unknown
  responses: Record<string, unknown>
  parameters?: unknown[]
}
