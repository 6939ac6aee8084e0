/** Holds each answer of the API, and the data of each event, against the schema that declares it. */

import { expect } from 'vitest'
import type { ZodType } from 'zod'
import type { createApp } from '../../api/create-app.js'
import type { Sql } from '../../db/connect.js'
import type { EventType } from '../../domain/events/event.js'
import {
  NEWEST_SCHEMA_VERSION,
  SCHEMA_VERSIONS,
  toSchemaVersion,
} from '../../domain/events/schema-version.js'
import type { VersionedData } from '../../domain/events/versions/down-conversion.js'
import { ErrorAnswer } from '../../wire/error.js'
import { EVENT_DATA_IN } from '../../wire/event-versions.js'

interface Declared {
  readonly method: string
  readonly path: RegExp
  /** Number of literal parts of the path: `/deposits/releases/x` is not `/deposits/{id}/x`. */
  readonly literals: number
  /** Schemas of the JSON answers by status. */
  readonly schemas: ReadonlyMap<number, ZodType>
}

/**
 * Returns the check of an app's answers. It fails for an answer with a field too many, too few or of another
 * kind: a parsed answer has only the declared fields, so it must equal the answer.
 */
export function createDeclaredCheck(app: ReturnType<typeof createApp>) {
  const declared = readDeclared(app)
  return (method: string, target: string, status: number, json: unknown): void => {
    const path = target.split('?', 1)[0] ?? ''
    const [route] = declared
      .filter((each) => each.method === method && each.path.test(path))
      .sort((a, b) => b.literals - a.literals)
    const schema = route?.schemas.get(status) ?? (status < 400 ? undefined : ErrorAnswer)
    if (schema && typeof json === 'object') expect(schema.parse(json), `${method} ${path}`).toEqual(json)
  }
}

/** Fails when the data of a recorded event has in some version a field too many, too few or of another kind. */
export async function expectDeclaredEvents(sql: Sql): Promise<void> {
  const events = await sql<{ type: EventType; data: VersionedData }[]>`SELECT type, data FROM events`
  for (const { type, data } of events) {
    for (const version of SCHEMA_VERSIONS) {
      const written = toSchemaVersion(type, data, NEWEST_SCHEMA_VERSION, version)
      expect(EVENT_DATA_IN[version][type].parse(written), `${type} in ${version}`).toEqual(written)
    }
  }
}

function readDeclared(app: ReturnType<typeof createApp>): Declared[] {
  return app.openAPIRegistry.definitions.flatMap((definition): Declared[] => {
    if (definition.type !== 'route') return []
    const { method, path, responses } = definition.route
    const schemas = Object.entries(responses).flatMap(([status, response]): [number, ZodType][] => {
      const content = 'content' in response ? response.content?.['application/json'] : undefined
      const schema = content && 'schema' in content ? content.schema : undefined
      return schema && 'parse' in schema ? [[Number(status), schema as ZodType]] : []
    })
    return [
      {
        method: method.toUpperCase(),
        path: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
        literals: path.split('/').filter((part) => part !== '' && !part.startsWith('{')).length,
        schemas: new Map(schemas),
      },
    ]
  })
}
