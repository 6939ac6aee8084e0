/**
 * Makes a migrated PostgreSQL database that belongs to one test file, in the server that the test run shares.
 */

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { connect, type Sql } from '../../db/connect.js'
import { TEMPLATE_DATABASE } from './global-setup.js'
import { sharedPart } from './shared-part.js'

export interface TestDatabase {
  readonly sql: Sql
  /** URL for processes that connect themselves. */
  readonly url: string
  /** Closes the pool and drops the database, also while others are connected. */
  drop(): Promise<void>
}

/** Copies the migrated template, which takes some 50 ms. `max` is the size of the pool. */
export async function freshDatabase(options: { readonly max?: number } = {}): Promise<TestDatabase> {
  return copyDatabase(TEMPLATE_DATABASE, options)
}

/** Copies a database that has no connections, as restoring its backup would. */
export async function copyDatabase(
  template: string,
  options: { readonly max?: number } = {},
): Promise<TestDatabase> {
  const { url: serverUrl } = z.object({ url: z.string() }).parse(await sharedPart('postgres'))
  const name = `keyturn_${randomBytes(6).toString('hex')}`
  await administer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const sql = connect(url.href, { max: options.max ?? 10, name: 'keyturn-test' })
  return {
    sql,
    url: url.href,
    async drop() {
      await sql.end({ timeout: 1 })
      await administer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    },
  }
}

async function administer(serverUrl: string, statement: string): Promise<void> {
  const admin = connect(serverUrl, { max: 1 })
  try {
    await admin.unsafe(statement)
  } finally {
    await admin.end({ timeout: 1 })
  }
}
