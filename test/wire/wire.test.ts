/** What holds for every schema of the wire. */

import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'

const ROOM = new URL('../../wire/', import.meta.url)

async function namedSchemas(): Promise<{ name: string; id: string; description: string | undefined }[]> {
  const found = new Map<z.ZodType, { name: string; id: string; description: string | undefined }>()
  for (const file of readdirSync(ROOM).filter((each) => each.endsWith('.ts'))) {
    const exported = (await import(new URL(file, ROOM).href)) as Record<string, unknown>
    for (const [name, value] of Object.entries(exported)) {
      if (!(value instanceof z.ZodType)) continue
      const { id, description } = value.meta() ?? {}
      if (id !== undefined) found.set(value, { name, id, description })
    }
  }
  return [...found.values()]
}

test('gives each component a name of its own, and says what it is', async () => {
  const schemas = await namedSchemas()
  expect(schemas.length).toBeGreaterThan(50)
  expect(new Set(schemas.map(({ id }) => id)).size).toBe(schemas.length)
  expect(schemas.filter(({ description }) => !description?.endsWith('.'))).toEqual([])
})

test('gives every event a component of its own, or that of the resource that it is about', async () => {
  const { EVENT_DATA } = await import('../../wire/event.js')
  const ids = Object.entries(EVENT_DATA).flatMap(([type, schema]) =>
    type === 'payment.status_changed' ? [] : [schema.meta()?.id],
  )
  expect(ids).not.toContain(undefined)
  expect(new Set(ids).size).toBe(ids.length)
})
