/** Holds every import against the table of docs/architecture.md: no room imports upward, and no files import in a circle. */

import { describe, expect, test } from 'vitest'
import { type Import, importsOf, readImports } from './imports.js'
import { readProjectFile } from './project-files.js'

/** What a room may import: rooms of which it may take anything, and rooms of which it may take types alone. */
interface Wall {
  readonly values: readonly string[]
  readonly types: readonly string[]
}

const walls = readWalls(readProjectFile('docs/architecture.md'))
const imports = readImports()

/** Reads the table under "Who may import whom": a row is a list of rooms, a floor, and what they may import. */
function readWalls(page: string): Map<string, Wall | 'anything'> {
  const [, section = ''] = page.split('\n## Who may import whom\n')
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.flatMap((row) => {
      const [, rooms = '', , may = ''] = row.split('|')
      const [values = '', types = ''] = may.split('types of')
      const wall = may.includes('anything') ? 'anything' : { values: names(values), types: names(types) }
      return names(rooms).map((room) => [room, wall] as const)
    }),
  )
}

function names(text: string): string[] {
  return [...text.matchAll(/`([a-z]+)\/?`/g)].map(([, name = '']) => name)
}

function roomOf(path: string): string {
  return path.split('/')[0] ?? ''
}

/** Returns the imports that the table does not allow, as lines to read. */
function violations(all: readonly Import[]): string[] {
  return all
    .filter(({ from, to, typesOnly }) => {
      const [room, other] = [roomOf(from), roomOf(to)]
      if (room === other || !from.includes('/')) return false
      const wall = walls.get(room)
      if (wall === 'anything') return false
      return !wall?.values.includes(other) && !(typesOnly && wall?.types.includes(other))
    })
    .map(({ from, to, typesOnly }) => `${from} imports ${to}${typesOnly ? ' (types)' : ''}`)
}

/** Returns each circle of files that import one another, types included. */
function circles(all: readonly Import[]): string[] {
  const targets = new Map<string, string[]>()
  for (const { from, to } of all) targets.set(from, [...(targets.get(from) ?? []), to])
  const done = new Set<string>()
  const path: string[] = []
  const found = new Set<string>()
  const visit = (file: string) => {
    if (path.includes(file)) found.add([...path.slice(path.indexOf(file)), file].join(' → '))
    if (done.has(file) || path.includes(file)) return
    path.push(file)
    for (const target of targets.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of targets.keys()) visit(file)
  return [...found]
}

describe('the table of who may import whom', () => {
  test('has a row for every room', () => {
    const rooms = new Set(
      imports
        .map(({ from }) => from)
        .filter((path) => path.includes('/'))
        .map(roomOf),
    )
    expect([...rooms].filter((room) => !walls.has(room))).toEqual([])
    expect(walls.size).toBeGreaterThan(15)
  })

  test('is kept by every import', () => {
    expect(imports.length).toBeGreaterThan(2_000)
    expect(violations(imports)).toEqual([])
  })

  test('refuses an import upward, and values where it allows types', () => {
    const upward = importsOf('domain/a.ts', "import { b } from '../db/b.js'\n")
    expect(violations(upward)).toEqual(['domain/a.ts imports db/b.ts'])
    const types = importsOf('workflows/a.ts', "import type { B } from '../activities/b.js'\n")
    expect(violations(types)).toEqual([])
    const values = importsOf('workflows/a.ts', "import { type B, b } from '../activities/b.js'\n")
    expect(violations(values)).toEqual(['workflows/a.ts imports activities/b.ts'])
    const packages = importsOf('signer/a.ts', "import { b } from '@keyturn/client/b.js'\n")
    expect(violations(packages)).toEqual(['signer/a.ts imports client/b.ts'])
  })
})

test('no files import one another in a circle', () => {
  expect(circles(imports)).toEqual([])
})

test('finds a circle where there is one', () => {
  const circle = [
    ...importsOf('db/a.ts', "import type { B } from './b.js'\n"),
    ...importsOf('db/b.ts', "import { c } from './c.js'\n"),
    ...importsOf('db/c.ts', "import { a } from './a.js'\n"),
  ]
  expect(circles(circle)).toEqual(['db/a.ts → db/b.ts → db/c.ts → db/a.ts'])
})
