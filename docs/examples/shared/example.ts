/** What a backend is made of, and what it gives. */

import type { Client } from '@keyturn/client'
import type { Hono } from 'hono'
import type { Comparison } from './compare.js'

export interface ExampleParts {
  readonly client: Client
  /** Secret of its webhook endpoint, `whsec_…`. */
  readonly secret: string
  /** Path of the journal. */
  readonly file: string
}

export interface Example {
  readonly app: Hono
  /** Finishes what an earlier process began. */
  resume(): Promise<void>
  /** Compares the books with the platform. A timer calls it once a day. */
  compare(): Promise<Comparison>
  close(): void
}

/** Opens a backend on its journal. */
export type OpenExample = (parts: ExampleParts) => Example
