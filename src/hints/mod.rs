//! Wake-ups and shared rate limits between processes: Redis when there is one, in-process otherwise. Never the truth.
