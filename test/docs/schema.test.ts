/** Holds docs/reference/schema.md against the migrations, and against the code that writes each table. */

import { expect, test } from 'vitest'
import { projectFiles, readProjectFile } from '../tidy/project-files.js'

const rows = [
  ...readProjectFile('docs/reference/schema.md').matchAll(/^\| `([a-z_]+)` \| (.+) \| (.+) \|$/gm),
].map(([, table = '', , writers = '']) => ({
  table,
  writers: [...writers.matchAll(/`([a-z/]+)`/g)].map(([, room = '']) => room),
}))

/** Returns the tables that exist after the last migration. */
function tablesOfMigrations(): string[] {
  const tables = new Set<string>()
  const change =
    /create table (?:if not exists )?(\w+)|alter table (\w+)\s+rename to (\w+)|drop table (?:if exists )?(\w+)/gi
  for (const path of projectFiles('.sql').filter((each) => each.startsWith('db/migrations/'))) {
    for (const [, created, renamed, name, dropped] of readProjectFile(path).matchAll(change)) {
      if (renamed) tables.delete(renamed)
      if (dropped) tables.delete(dropped)
      const added = created ?? name
      if (added) tables.add(added)
    }
  }
  return [...tables]
}

/**
 * Returns the rooms of `db/` whose statements write a table; the functions of migrations count where no room
 * does.
 */
function writersOf(table: string): string[] {
  const writes = new RegExp(`(?:insert into|update|delete from) ${table}\\b`, 'i')
  const writing = projectFiles('.ts', '.sql').filter(
    (path) => !/^(?:test|bench|local)\//.test(path) && writes.test(readProjectFile(path)),
  )
  const rooms = new Set(writing.map((path) => path.split('/').slice(0, -1).slice(0, 2).join('/')))
  if (rooms.size > 1) rooms.delete('db/migrations')
  return [...rooms].sort()
}

test('lists every table once', () => {
  const tables = rows.map(({ table }) => table)
  expect(tables.toSorted()).toEqual(tablesOfMigrations().sort())
})

test('names the rooms that write each table', () => {
  for (const { table, writers } of rows)
    expect({ table, writers }).toEqual({ table, writers: writersOf(table) })
})
