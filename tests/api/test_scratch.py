import pytest
async def test_a(api, database):
    r = await api.post("/api/v1/users", json={"email":"kim@example.com","name":"Kim","password":"0123456789"}); print(r.status_code, r.text, r.headers)
    r = await api.post("/api/v1/sessions", json={"email":"kim@example.com","password":"0123456789"}); print(r.status_code, r.text, r.headers)
    h={"Authorization":"Bearer "+r.json()["token"]}
    r = await api.get("/api/v1/users/me",headers=h); print(r.text)
    r = await api.patch("/api/v1/users/me",headers=h,json={"name":"K", "preferences":{"weekly_summary":False}}); print(r.text)
    r = await api.patch("/api/v1/users/me",headers=h,json={"name":"", "preferences":{"weekly_summary":1,"a":2}}); print(r.text)
    for m,p in [("GET","/nope"),("PUT","/api/v1/users"),("GET","/schema"),("GET","/schema/openapi.json"),("GET","/schema/nope"),("GET","/health/ready"),("GET","/health/live"),("GET","/metrics"),("OPTIONS","/api/v1/users")]:
        r = await api.request(m,p); print(m,p,r.status_code, r.headers, r.text[:3000])
    assert 0
